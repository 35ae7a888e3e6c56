# deps: numpy
# Views that reach beyond their data read the guest's own memory, or end in a crash of this run.
import numpy as np
small = np.zeros(4)
wild = np.lib.stride_tricks.as_strided(small, shape=(2000,), strides=(1 << 20,))
print("made")
wild.sum()
