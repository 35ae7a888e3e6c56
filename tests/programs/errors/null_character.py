# Source with a NUL character (given as an escape, for eval).
eval("1 +\0 2")
