# A generator that is dropped is closed: its finally runs.
def numbers():
    try:
        yield 1
        yield 2
    finally:
        print("closed")
generator = numbers()
print(next(generator))
del generator
try:
    held = numbers()
    next(held)
    held.throw(KeyError("thrown in"))
except KeyError as error:
    print("came out:", error)
