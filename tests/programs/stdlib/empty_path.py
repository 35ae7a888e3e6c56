# The empty path names nothing.
import os
for function in (os.stat, os.listdir, open, os.mkdir):
    try:
        print(function.__name__, "gave", function(""))
    except OSError as error:
        print(function.__name__, type(error).__name__)
os.path.exists(""), os.path.isdir("")
