# deps: numpy
# The guest is a 32-bit machine: numpy's default integer has 32 bits here, sums of it wrap, and 64 bits are there for the asking.
import numpy as np
numbers = np.arange(100_000)
numbers.dtype.name, int(numbers.sum()) == sum(range(100_000)), int(numbers.sum(dtype=np.int64)), np.array([2**40]).dtype.name
