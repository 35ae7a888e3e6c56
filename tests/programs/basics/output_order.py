# stdout and stderr are kept apart, and print without a newline is kept too.
import sys
print("one", "two", sep="-", end="!\n")
print("to stderr", file=sys.stderr)
sys.stdout.write("three")
sys.stdout.flush()
sys.stdout.buffer.write(b" four \xf0\x9f\x90\x8d\n")
sys.stderr.buffer.write("fünf\n".encode())
import os
os.write(1, b"six\n")
print("no newline at the end", end="")
