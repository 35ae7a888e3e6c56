# A module the program writes can be imported at once, and shadows nothing of the standard library.
open("helper.py", "w").write("def double(x): return 2 * x\n")
open("json.py", "w").write("raise SystemError\n")
import helper, json
helper.double(21), helper.__file__, json.loads("[1]")
