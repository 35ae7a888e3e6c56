# Objects of the program's own classes can be pickled, because the program is __main__.
import copy, pickle
from dataclasses import dataclass, field

class Point:
    def __init__(self, x):
        self.x = x
    def __eq__(self, other):
        return self.x == other.x
@dataclass(order=True)
class Item:
    price: float
    tags: list = field(default_factory=list)
def double(x):
    return 2 * x
blob = pickle.dumps([Point(1), Item(2.5, ["a"]), double])
point, item, function = pickle.loads(blob)
[point == Point(1), item == Item(2.5, ["a"]), function(4), b"__main__" in blob, copy.deepcopy(item) is not item, pickle.loads(pickle.dumps({1, 2}, protocol=0))]
