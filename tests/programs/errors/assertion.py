# An assertion with and without a message; python -O is not in force.
try:
    assert 1 == 2
except AssertionError as error:
    print(repr(error), __debug__)
assert isinstance(5, str), "5 is no text"
