# StopIteration and GeneratorExit can be raised at the top like any other.
def broken():
    raise StopIteration("inside")
    yield
try:
    next(broken())
except RuntimeError as error:
    print(repr(error), repr(error.__cause__))
raise StopIteration("at the top")
