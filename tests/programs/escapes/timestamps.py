# Times no clock shows: before 1970, with too many nanoseconds, beyond the end.
import os
open("f", "w").close()
for name, arguments in {"2001": dict(ns=(10**18, 10**18)), "zero": dict(ns=(0, 0)), "before 1970": dict(ns=(-1, -1)), "1901": dict(times=(-2**31, -2**31)), "year 2500": dict(times=(2**34, 2**34)), "u64": dict(ns=(2**64 - 1, 2**64 - 1)), "far": dict(times=(2**62, 2**62)), "nan": dict(times=(float("nan"), 0)), "inf": dict(times=(float("inf"), 0))}.items():
    try:
        os.utime("f", **arguments)
        print(name, "set", os.stat("f").st_mtime_ns)
    except (OSError, OverflowError, ValueError) as error:
        print(name, type(error).__name__, error)
import time
for number in (2**31, 2**40, -2**40, 2**60, float("1e300")):
    try:
        print(number, time.gmtime(number).tm_year)
    except (OSError, OverflowError, ValueError) as error:
        print(number, type(error).__name__, error)
for number in (-1, float("nan"), 2**70):
    try:
        time.sleep(number)
    except (ValueError, OverflowError) as error:
        print(number, type(error).__name__, error)
