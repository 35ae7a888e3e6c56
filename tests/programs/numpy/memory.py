# deps: numpy
# limits: memory=256m
import numpy as np
try:
    np.zeros((1 << 27,))
except MemoryError as error:
    print(type(error).__name__, error)
np.ones(1 << 20).sum()
