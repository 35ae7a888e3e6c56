# An exception that answers every question with an error of its own is reported all the same.
class Hostile(Exception):
    def _no(self, *args):
        raise SystemExit("asked")
    __str__ = __repr__ = __eq__ = __hash__ = __bool__ = __getattribute__ = __reduce__ = _no
raise Hostile("x")
