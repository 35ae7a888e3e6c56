# os.abort ends the run; the host calls it a crash.
import os
print("before")
os.abort()
