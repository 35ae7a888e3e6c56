# Subclasses of built-in kinds: their own repr, JSON of the kind they are.
class Name(str):
    def __repr__(self):
        return "Name!"
class Number(int):
    pass
class Bag(dict):
    pass
class Row(list):
    def __iter__(self):
        raise RuntimeError("not to be iterated")
[Name("n"), Number(5), Bag(a=1), Row([1, 2])]
