# Iterators are not consumed to be shown.
consumed = []
def numbers():
    consumed.append(1)
    yield 1
generator = numbers()
mapped = map(str, [1, 2])
[type(generator).__name__, next(mapped), consumed]
