# limits: files=1m
# The workspace is full: ENOSPC. The same for /tmp, which has a quota of its own; what is deleted counts no more.
import errno, os
def fill(path):
    written = 0
    try:
        with open(path, "wb", buffering=0) as file:
            while True:
                written += file.write(bytes(100_000))
    except OSError as error:
        return written, errno.errorcode[error.errno], str(error)
print(fill("/workspace/a"))
print(fill("/workspace/b"))
print(fill("/tmp/a"))
os.remove("/workspace/a")
os.remove("/workspace/b")
fill("/workspace/c")
