# Comparison, hashing, truth, length and class of a value are none of the host's business.
class Hostile:
    def _no(self, *args):
        raise SystemExit("asked")
    __eq__ = __ne__ = __lt__ = __hash__ = __bool__ = __len__ = __iter__ = __getattr__ = __getitem__ = __contains__ = __index__ = __float__ = __str__ = __bytes__ = _no
    __class__ = property(_no)
    def __repr__(self):
        return "Hostile()"
[Hostile(), {"k": Hostile()}]
