# deps: numpy
# numpy works: arithmetic, broadcasting, reductions, and its scalars as values.
import numpy as np
a = np.arange(12, dtype=float).reshape(3, 4)
print(a)
print(a @ a.T, a.mean(axis=0), (a > 5).sum())
[a.sum(), a[1, 2], np.float32(0.5), np.int64(2**62), np.bool_(True), np.array([[1, 2], [3, 4]]), np.linspace(0, 1, 3)]
