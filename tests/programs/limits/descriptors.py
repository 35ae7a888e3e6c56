# Descriptors are few: the rest of the program can handle the error, and closing helps.
import errno, os
files = []
try:
    while True:
        files.append(open("/workspace/x", "a"))
except OSError as error:
    print(errno.errorcode[error.errno], 200 < len(files) < 256)
for file in files: file.close()
files = [os.open("/tmp", os.O_RDONLY) for _ in range(200)]
for descriptor in files: os.close(descriptor)
open("/workspace/x").read()
