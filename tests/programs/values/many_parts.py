# More parts than anyone would read: no JSON, and the repr is cut at its limit.
# limits: result=1m
len([[i] for i in range(200_000)]), 5
