# deps: numpy
# Arrays in files of every kind.
import io, numpy as np
a = np.arange(6).reshape(2, 3)
np.save("a.npy", a)
np.savez_compressed("b.npz", x=a, y=a * 2)
np.savetxt("c.csv", a, delimiter=",", fmt="%d")
a.tofile("d.bin")
try:
    np.load("a.npy", mmap_mode="r")
except (ImportError, OSError, ValueError) as error:
    print(type(error).__name__, error)
try:
    np.load(io.BytesIO(b"\x80\x04."))
except ValueError as error:
    print(error)
np.load("a.npy").tolist(), np.load("b.npz")["y"].sum(), open("c.csv").read(), np.fromfile("d.bin", dtype=a.dtype).size, np.loadtxt("c.csv", delimiter=",").shape
