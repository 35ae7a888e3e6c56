# deps: numpy
import copy, pickle
import numpy as np
a = np.array([[1, 2], [3, 4]], dtype=np.int16)
structured = np.array([("a", 1.5)], dtype=[("name", "U5"), ("score", "f4")])
[np.array_equal(pickle.loads(pickle.dumps(a)), a), copy.deepcopy(structured)["score"][0], np.sort(structured, order="score")["name"].tolist(), np.frombuffer(a.tobytes(), np.int16).tolist(), memoryview(a).shape]
