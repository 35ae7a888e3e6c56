# deps: numpy
# Arrays go to and from files through the C library, which duplicates the descriptor.
import io, os
import numpy as np
array = np.arange(12.0).reshape(3, 4)
array.tofile("raw.bin")
print(os.path.getsize("raw.bin"), np.array_equal(np.fromfile("raw.bin").reshape(3, 4), array))
array.tofile("text.txt", sep=" ", format="%g")
print(open("text.txt").read(), np.fromfile("text.txt", sep=" ").sum())
with open("mixed.bin", "wb") as file:
    file.write(b"head")
    array[0].tofile(file)
    file.write(b"tail")
with open("mixed.bin", "rb") as file:
    head = file.read(4)
    print(head, np.fromfile(file, count=4), file.read(), np.fromfile("mixed.bin", np.uint8, count=4))
with open("two.npy", "wb") as file:
    np.save(file, array)
    np.save(file, array * 2)
with open("two.npy", "rb") as file:
    print(np.array_equal(np.load(file), array), np.array_equal(np.load(file), array * 2))
np.savez_compressed("z.npz", a=array, b=array.astype(np.int8))
with np.load("z.npz") as loaded:
    print(sorted(loaded), loaded["b"].dtype)
try:
    array.tofile("/usr/local/lib/x")
except OSError as error:
    print(error.strerror)
try:
    np.fromfile(io.BytesIO(b"12345678"))
except io.UnsupportedOperation as error:
    print(error)
