# A trace function that raises whenever the runtime works.
import sys
def trace(frame, event, argument):
    if "prims_runtime" in frame.f_code.co_filename:
        raise SystemExit(9)
    return trace
sys.settrace(trace)
sys.setprofile(trace)
{"a": [1]}
