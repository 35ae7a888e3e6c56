# Notes that are no texts.
class Odd:
    def __repr__(self):
        raise ValueError
error = ValueError("with odd notes")
error.__notes__ = [5, Odd(), "fine"]
raise error
