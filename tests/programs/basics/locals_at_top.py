# locals() is globals() at the top, and a class body sees it.
a = 1
class B:
    b = a
    own = sorted(name for name in locals() if not name.startswith("__"))
[locals() is globals(), B.own]
