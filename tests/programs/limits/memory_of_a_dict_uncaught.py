# limits: memory=64m
# Nobody catches it, and everything is still referenced: the report comes all the same.
data = {}
n = 0
while True:
    data[n] = str(n) * 10_000
    n += 1
