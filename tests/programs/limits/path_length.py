# A path of one call has at most 4096 bytes; the last of them is for the end that C puts there.
import errno, os
for length in (4095, 4097):
    path = "a/" * 2000 + "b" * (length - 4000)
    try:
        os.stat("/workspace/" + path)
    except OSError as error:
        print(length, errno.errorcode[error.errno])
