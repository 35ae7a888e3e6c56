# limits: output=200 timeout=20000ms
# A flood costs the host nothing but the two ends.
import os
block = b"y" * (1 << 20)
for _ in range(100):
    os.write(1, block)
print("last line")
