# Statements of every kind before a value that uses what they made.
import functools

def twice(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args) * 2
    return wrapper

@twice
def area(width, height=3, /, *more, unit="m"):
    return width * height

total = 0
for index, size in enumerate([1, 2, 3]):
    if (product := area(size)) > 6:
        total += product
    else:
        continue
else:
    total += 100
with open("note.txt", "w") as file:
    file.write(f"{total=}")
match {"kind": "point", "at": [1, 2]}:
    case {"kind": "point", "at": [x, y]} if x < y:
        found = (x, y)
    case _:
        found = None
del index
area.__name__, total, found, open("note.txt").read(), {n: n**2 for n in range(3)}, [*range(3)], f"{3.14159:.2f}{'x'!r:>5}"
