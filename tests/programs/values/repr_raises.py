# A __repr__ that raises is said to, and the run completes.
class Broken:
    def __repr__(self):
        raise ValueError("no repr for you")
Broken()
