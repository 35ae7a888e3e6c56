# limits: memory=64m
# One large allocation is a MemoryError the program can handle.
try:
    block = bytearray(1 << 30)
except MemoryError as error:
    print("caught", repr(error))
len(bytearray(1 << 20))
