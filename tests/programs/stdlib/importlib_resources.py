# Packages the program writes, with data, relative imports and entry through runpy.
import importlib, importlib.resources, os, runpy, sys
os.makedirs("pkg/sub")
open("pkg/__init__.py", "w").write("from .part import value\n")
open("pkg/part.py", "w").write("from .sub.deep import x\nvalue = x + 1\n")
open("pkg/sub/__init__.py", "w").write("")
open("pkg/sub/deep.py", "w").write("x = 41\n")
open("pkg/data.txt", "w").write("data")
open("pkg/__main__.py", "w").write("result = 'ran as ' + __name__\n")
import pkg
open("pkg/part.py", "w").write("value = 'reloaded and longer'\n")
importlib.reload(sys.modules["pkg.part"])
pkg.value, pkg.part.value, importlib.resources.files("pkg").joinpath("data.txt").read_text(), runpy.run_module("pkg")["result"], os.path.exists("pkg/__pycache__")
