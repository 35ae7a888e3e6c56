# Without input, input() is at the end of the file.
import sys
print(repr(sys.stdin.read()))
input("prompt> ")
