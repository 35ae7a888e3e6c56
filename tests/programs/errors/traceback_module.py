# traceback and sys.exc_info work inside the program.
import sys, traceback
def f():
    raise ValueError("inside")
try:
    f()
except ValueError:
    kind, error, trace = sys.exc_info()
    print(traceback.format_exc(), end="")
    print(traceback.format_exception_only(error))
    print([(frame.name, frame.lineno, frame.line) for frame in traceback.extract_tb(trace)])
