# limits: memory=64m
# Growth by small steps ends in a MemoryError as well, and the program can go on once it lets go.
data = []
try:
    while True:
        data.append(bytes(1000))
except MemoryError:
    many = len(data) > 10_000
    data.clear()
many, sum(len(bytes(1000)) for _ in range(10_000))
