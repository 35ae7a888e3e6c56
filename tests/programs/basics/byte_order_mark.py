# Source that begins with a byte order mark.
x = 1
x
