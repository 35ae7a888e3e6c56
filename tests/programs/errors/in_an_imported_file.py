# A failing module of the workspace is shown with its own lines.
open("helper.py", "w").write("def check(x):\n    if x < 0:\n        raise ValueError(f'{x} is negative')\n")
import helper
helper.check(-1)
