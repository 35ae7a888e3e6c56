# limits: memory=64m
# A million suspended generators.
def numbers():
    data = [0] * 20
    yield data
held = []
try:
    for _ in range(1_000_000):
        generator = numbers()
        next(generator)
        held.append(generator)
except MemoryError:
    held.clear()
    print("full")
