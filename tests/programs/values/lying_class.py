# An object that says it is a dict is not taken for one.
class Liar:
    __class__ = dict
    def keys(self):
        raise SystemExit(9)
    def __repr__(self):
        return "Liar()"
Liar()
