# limits: timeout=1000ms
# Randomness without end is paid with one's own time, in pieces the host can hold.
import os
print(len(os.urandom(2 << 20)), len({os.urandom(16) for _ in range(1000)}))
while True:
    os.urandom(1 << 20)
