# Named tuples, dataclasses and namespaces are objects of their fields.
import collections, dataclasses, types, typing

@dataclasses.dataclass
class Point:
    x: int
    y: int = 2
    hidden: str = dataclasses.field(default="h", repr=False)

@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    items: list

class Typed(typing.NamedTuple):
    name: str
    score: float = 0.5

Pair = collections.namedtuple("Pair", "left right")
[Point(1), Frozen([Point(3, 4)]), Typed("n"), Pair(1, (2, 3)), types.SimpleNamespace(a=1, b=[2])]
