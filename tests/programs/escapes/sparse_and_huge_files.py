# limits: files=1m
# Sparse files, offsets beyond everything, preallocation: errors, and nothing is allocated on the host.
import errno, os
def attempt(name, function):
    try:
        print(name, "gave", function())
    except AttributeError as error:
        print(name, str(error))
    except (OSError, OverflowError, ValueError) as error:
        print(name, type(error).__name__, errno.errorcode.get(getattr(error, "errno", None)) or error)
file = open("sparse", "w+b", buffering=0)
attempt("seek 2**62", lambda: file.seek(2**62))
attempt("write there", lambda: file.write(b"x"))
attempt("seek back", lambda: file.seek(0))
attempt("truncate 2**62", lambda: file.truncate(2**62))
attempt("truncate 2**40", lambda: os.truncate("sparse", 2**40))
attempt("truncate -1", lambda: os.ftruncate(file.fileno(), -1))
attempt("fallocate", lambda: os.posix_fallocate(file.fileno(), 0, 2**40))
attempt("fallocate far", lambda: os.posix_fallocate(file.fileno(), 2**62, 2**62))
attempt("fallocate small", lambda: os.posix_fallocate(file.fileno(), 0, 1000))
attempt("pwrite far", lambda: os.pwrite(file.fileno(), b"x", 2**62))
attempt("pread far", lambda: os.pread(file.fileno(), 10, 2**62))
attempt("seek negative", lambda: file.seek(-1))
attempt("seek before the beginning", lambda: os.lseek(file.fileno(), -5000, os.SEEK_END))
attempt("seek 2**63", lambda: file.seek(2**63))
attempt("read a gigabyte", lambda: len(os.read(file.fileno(), 2**20)))
attempt("fadvise", lambda: os.posix_fadvise(file.fileno(), 0, 2**62, os.POSIX_FADV_WILLNEED))
os.path.getsize("sparse") <= 1 << 20
