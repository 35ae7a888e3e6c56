# limits: timeout=200ms
# One long operation inside the interpreter.
sum(range(10**12))
