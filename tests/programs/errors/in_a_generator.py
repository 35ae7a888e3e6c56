# The frames of a generator and of a comprehension are shown.
def numbers():
    yield 1
    yield 1 / 0
total = sum(x * 2 for x in numbers())
