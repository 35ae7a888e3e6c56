# An empty path is no file, and not the working directory.
import os, pathlib
print(os.path.exists(""), os.path.isdir(""), os.access("", os.F_OK), os.path.lexists(""))
for call in (os.stat, os.lstat, os.listdir, os.mkdir, os.rmdir, os.remove, os.chdir, os.readlink, os.scandir, open, lambda path: os.rename("x", path), lambda path: os.open(path, os.O_RDONLY)):
    try:
        print(call(""))
    except OSError as error:
        print(type(error).__name__, error.strerror)
os.path.realpath(""), str(pathlib.Path("")), pathlib.Path("").exists()
