# CPython's suggestions are there.
import math
numbers = [1]
try:
    math.sqr(4)
except AttributeError as error:
    print(error)
print(nubmers)
