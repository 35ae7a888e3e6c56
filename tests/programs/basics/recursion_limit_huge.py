# limits: memory=128m
# Any limit can be asked for; the stack and the memory end where they end, and that is an error like any other.
import sys
def depth(n):
    return n if n == 0 else 1 + depth(n - 1)
for limit in (10**5, 10**9, 2**31 - 1):
    try:
        sys.setrecursionlimit(limit)
        print(limit, sys.getrecursionlimit(), depth(20_000))
    except (RecursionError, MemoryError, OverflowError) as error:
        print(limit, type(error).__name__, error)
for limit in (0, -1, 2**31, 10**30):
    try:
        sys.setrecursionlimit(limit)
    except (ValueError, OverflowError) as error:
        print(limit, type(error).__name__, error)
def deeper(n):
    return deeper(n + 1)
class Chain:
    def __getattr__(self, name):
        return getattr(self, name)
for endless in (lambda: deeper(0), lambda: Chain().x):
    try:
        endless()
    except (MemoryError, RecursionError) as error:
        print(type(error).__name__)
sys.getrecursionlimit()
