# limits: memory=128m
# A thousand times 10 MB one after another fit.
total = 0
for _ in range(200):
    block = bytearray(10 << 20)
    total += len(block)
total
