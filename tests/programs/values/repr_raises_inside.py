class Broken:
    def __repr__(self):
        raise ValueError("no repr for you")
[1, Broken(), 2]
