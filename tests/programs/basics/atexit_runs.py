# Functions registered with atexit run at the end, last first, and may print.
import atexit
atexit.register(print, "registered first")
@atexit.register
def last():
    print("registered last")
print("end of program")
"value"
