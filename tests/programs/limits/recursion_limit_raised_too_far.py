# limits: memory=64m
# A program that raises the limit uses up its memory with frames, and can go on after that.
import sys
sys.setrecursionlimit(10**9)
def down(n):
    return [down(n + 1) for _ in "x"]
try:
    down(0)
except (MemoryError, RecursionError, SystemError):
    print("caught")
