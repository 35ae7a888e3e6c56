# They also run when the program fails; an error in one of them is printed and changes nothing.
import atexit
atexit.register(print, "still runs")
atexit.register(lambda: 1 / 0)
raise ValueError("the program's own")
