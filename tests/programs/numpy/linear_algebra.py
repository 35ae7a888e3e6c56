# deps: numpy
import numpy as np
a = np.array([[4.0, 1, 0], [1, 3, 1], [0, 1, 2]])
values, vectors = np.linalg.eigh(a)
q, r = np.linalg.qr(a)
print(np.allclose(a @ vectors, vectors * values), np.allclose(q @ r, a), np.allclose(np.linalg.inv(a) @ a, np.eye(3)))
try:
    np.linalg.inv(np.zeros((2, 2)))
except np.linalg.LinAlgError as error:
    print(type(error).__name__, error)
np.round(np.linalg.solve(a, [1, 2, 3]), 6), round(float(np.linalg.det(a)), 6), np.round(np.linalg.svd(a, compute_uv=False), 4)
