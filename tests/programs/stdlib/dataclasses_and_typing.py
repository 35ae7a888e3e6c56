import dataclasses, enum, functools, typing
T = typing.TypeVar("T")
class Box[U]:
    def __init__(self, item: U): self.item = item
type Pair[A] = tuple[A, A]
@dataclasses.dataclass(order=True, kw_only=True, slots=True)
class Item:
    name: str
    price: float = dataclasses.field(default=1.0, metadata={"unit": "EUR"})
    def __post_init__(self):
        self.name = self.name.strip()
class Shape(typing.Protocol):
    def area(self) -> float: ...
@functools.singledispatch
def show(x): return "any"
@show.register
def _(x: int): return "int"
@functools.total_ordering
class V:
    def __init__(self, n): self.n = n
    def __eq__(self, o): return self.n == o.n
    def __lt__(self, o): return self.n < o.n
item = Item(name=" x ")
[dataclasses.replace(item, price=2), dataclasses.asdict(item), dataclasses.fields(Item)[1].metadata["unit"], str(Pair.__value__), Box[int].__name__, typing.get_type_hints(Item), show(1), show("s"), V(2) >= V(1), functools.reduce(lambda a, b: a * b, range(1, 6)), typing.get_origin(dict[str, int])]
