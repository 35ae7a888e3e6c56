# Locals of the failing frames are dropped, and their finalizers run.
class Resource:
    def __del__(self):
        print("released")
def use():
    resource = Resource()
    raise OSError(5, "device failed")
use()
