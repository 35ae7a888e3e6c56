# Even SystemExit does not get out of __repr__.
class Leaver:
    def __repr__(self):
        raise SystemExit(3)
Leaver()
