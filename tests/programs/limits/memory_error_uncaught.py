# limits: memory=64m
data = "x" * (1 << 30)
