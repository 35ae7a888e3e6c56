# deps: numpy
# limits: timeout=400ms
# The deadline reaches into numpy's loops.
import numpy as np
a = np.random.rand(600, 600)
while True:
    a = a @ a % 1.0
