# deps: numpy
import numpy as np
np.__version__, np.ones(3).dtype.name, np.intp(0).nbytes, np.dtype("long").itemsize
