# limits: result=1k
list(range(10_000))
