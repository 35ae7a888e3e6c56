# deps: numpy
# Errors and warnings of numpy point into the program.
import numpy as np
print(np.array([1, 2]) / 0)
np.zeros((2, 3)) @ np.zeros((2, 3))
