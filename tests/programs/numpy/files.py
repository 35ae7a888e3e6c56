# deps: numpy
# Arrays in files of every kind.
import io, numpy as np
a = np.arange(6).reshape(2, 3)
np.save("a.npy", a)
np.savez_compressed("b.npz", x=a, y=a * 2)
np.savetxt("c.csv", a, delimiter=",", fmt="%d")
np.load("a.npy").tolist(), np.load("b.npz")["y"].sum(), open("c.csv").read(), np.loadtxt("c.csv", delimiter=",").shape
