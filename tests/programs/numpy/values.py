# deps: numpy
# Arrays as values: nested lists in JSON, special floats, structured and text arrays.
import numpy as np
[np.array([1.5, np.nan, np.inf]), np.array(["a", "bc"]), np.array([True, False]), np.array(7), np.array([1 + 2j]), np.array([b"x"]), np.array(["2024-02-29"], dtype="datetime64[D]")]
