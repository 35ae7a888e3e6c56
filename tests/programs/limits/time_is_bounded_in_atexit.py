# limits: timeout=300ms
import atexit
@atexit.register
def forever():
    while True: pass
print("end of program")
