# stdin: first\n42\nthe rest\nof it
import sys
name = input()
number = int(input("a number: "))
rest = sys.stdin.read()
[name, number, rest, sys.stdin.read(), sys.stdin.isatty()]
