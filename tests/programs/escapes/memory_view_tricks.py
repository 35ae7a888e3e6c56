# Known ways to break CPython's memory safety from pure Python end in an error or a crash of this run.
import array, io
class Evil:
    def __index__(self):
        data.clear()
        return 5
data = bytearray(b"x" * 100)
try:
    data[0] = Evil()
except (IndexError, ValueError, BufferError) as error:
    print(type(error).__name__, error)
view = memoryview(bytearray(10))
class Released(int):
    def __index__(self):
        view.release()
        return 1
try:
    view[Released(0)] = 1
except (ValueError, TypeError) as error:
    print(type(error).__name__, error)
words = array.array("i", [1, 2, 3])
try:
    words.frombytes(memoryview(words))
except BufferError as error:
    print(type(error).__name__, error)
list(words)
