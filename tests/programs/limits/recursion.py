# The recursion limit is CPython's.
import sys
def depth(n):
    try:
        return depth(n + 1)
    except RecursionError:
        return n
print(sys.getrecursionlimit(), 900 < depth(0) <= 1000)
sys.setrecursionlimit(3000)
2900 < depth(0) <= 3000
