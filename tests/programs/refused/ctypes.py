# There is no foreign function interface, and the message says so.
try:
    import ctypes
except ImportError as error:
    print(type(error).__name__, error)
try:
    import _ctypes
except ImportError as error:
    print(type(error).__name__, error)
import cffi
