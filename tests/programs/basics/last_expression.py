# The value of a run is that of its last expression.
x = 20
x + 1; x * 2
