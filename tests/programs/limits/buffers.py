# One write takes 1024 buffers, and one read.
import errno, os
with open("/workspace/x", "w+b", buffering=0) as file:
    for count in (1024, 1025):
        for do, buffers in ((os.writev, [b"x"] * count), (os.readv, [bytearray(1) for _ in range(count)])):
            file.seek(0)
            try:
                print(do.__name__, do(file.fileno(), buffers))
            except OSError as error:
                print(do.__name__, errno.errorcode[error.errno])
