# limits: timeout=200ms
import time
print("sleeping", end="")
time.sleep(1e9)
