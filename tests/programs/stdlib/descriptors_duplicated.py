# A duplicate is the same open file: one position, one end. Standard output can be sent elsewhere and brought back.
import os
file = os.open("f", os.O_RDWR | os.O_CREAT)
other = os.dup(file)
os.write(file, b"abc")
os.write(other, b"def")
print(os.lseek(file, 0, os.SEEK_CUR), os.get_inheritable(other))
os.close(file)
os.lseek(other, 1, os.SEEK_SET)
print(os.read(other, 10))
for call in (lambda: os.read(file, 1), lambda: os.dup(99), lambda: os.dup2(99, 5), lambda: os.dup2(other, 100_000), lambda: os.dup2(other, 3)):
    try:
        print("gave", call())
    except OSError as error:
        print(error.strerror)
print(os.dup2(other, 50), os.read(50, 1), os.lseek(other, 0, os.SEEK_SET), os.read(50, 1))

saved = os.dup(1)
log = os.open("log", os.O_WRONLY | os.O_CREAT)
os.dup2(log, 1)
print("into the file")
os.dup2(saved, 1)
print("and back")
os.dup2(1, 2)
os.write(2, b"errors beside it\n")

with open("f", "rb") as first, os.fdopen(os.dup(first.fileno()), "rb") as second:
    print(first.read(3), second.tell(), os.fstat(second.fileno()).st_ino == os.stat("f").st_ino)
folder = os.open(".", os.O_RDONLY)
print(os.stat("f", dir_fd=os.dup(folder)).st_size)
opened = []
try:
    while True:
        opened.append(os.dup(other))
except OSError as error:
    print(error.strerror, 200 < len(opened) < 256)
os.close(opened.pop())
open("log").read()
