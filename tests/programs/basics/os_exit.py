# os._exit ends the run at once, without finally and atexit, with what was printed before.
import atexit, os
atexit.register(print, "never")
print("before", end="")
try:
    os._exit(5)
finally:
    print("never")
