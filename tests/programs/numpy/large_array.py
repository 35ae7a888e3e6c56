# deps: numpy
# A large array is shown as numpy shows it.
import numpy as np
np.arange(1_000_000).reshape(1000, 1000)
