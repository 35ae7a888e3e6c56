# limits: fuel=100000000 timeout=20000ms
# Copying memory in bulk costs fuel by its size.
block = bytearray(64 << 20)
while True:
    copy = bytes(block)
