# The program is __main__, so the usual guard holds and its names are found there.
import sys, __main__
value = 5
if __name__ == "__main__":
    print("guarded")
[__main__.value, sys.modules["__main__"] is __main__, __name__, "__file__" in globals(), __builtins__ is sys.modules["builtins"]]
