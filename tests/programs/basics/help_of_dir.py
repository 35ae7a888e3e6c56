# dir() and vars() without an argument show the program's names and none of the runtime's.
import os
first, second = 1, 2
[name for name in dir() if not name.startswith("__")], sorted(name for name in vars() if name.startswith("__"))
