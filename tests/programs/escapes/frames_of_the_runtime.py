# Frames above the program can be looked at; there is nothing of value in them.
import sys
frame, names = sys._getframe(), []
while frame:
    names.append((frame.f_code.co_filename.rsplit("/", 1)[-1], frame.f_code.co_name))
    frame = frame.f_back
names[0], all(name.startswith("_") or name == "__init__.py" or name == "<code>" for name, _ in names)
