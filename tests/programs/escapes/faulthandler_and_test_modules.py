# Modules that crash an interpreter on purpose.
missing = []
for name in ("_testcapi", "_testinternalcapi", "_testlimitedcapi", "_xxtestfuzz", "_ctypes_test", "xxlimited", "_interpreters", "_xxsubinterpreters"):
    try:
        __import__(name)
        missing.append(f"{name} is there")
    except ImportError:
        missing.append(f"{name} is not there")
print(missing)
import faulthandler
print(sorted(name for name in dir(faulthandler) if not name.startswith("__")))
faulthandler._sigsegv()
