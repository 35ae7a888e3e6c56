# The standard descriptors: reading output, writing input, closing them, duplicating, seeking. Those of mounts stay.
import os
def attempt(name, function):
    try:
        print(name, "gave", function())
    except OSError as error:
        print(name, type(error).__name__, error.strerror)
    except AttributeError as error:
        print(name, str(error)[:40])
attempt("read fd 0", lambda: os.read(0, 10))
attempt("read fd 1", lambda: os.read(1, 10))
attempt("write fd 0", lambda: os.write(0, b"x"))
attempt("write fd 99", lambda: os.write(99, b"x"))
attempt("write fd -1", lambda: os.write(-1, b"x"))
attempt("seek fd 1", lambda: os.lseek(1, 0, 0))
attempt("truncate fd 1", lambda: os.ftruncate(1, 0))
attempt("isatty", lambda: [os.isatty(fd) for fd in range(4)])
attempt("dup", lambda: os.dup(1))
attempt("dup2", lambda: os.dup2(1, 50))
attempt("write fd 50", lambda: os.write(50, b"through a duplicate\n"))
attempt("dup of none", lambda: os.dup(99))
attempt("dup2 over a mount", lambda: os.dup2(1, 3))
attempt("fstat", lambda: [os.fstat(fd).st_size for fd in (0, 1, 2)])
attempt("close a mount", lambda: os.close(3))
attempt("listing after it", lambda: sorted(os.listdir("/"))[:1])
attempt("close 5 to 30", lambda: os.closerange(5, 30))
attempt("import after it", lambda: __import__("colorsys").rgb_to_hls(0, 0, 0))
os.close(1)
try:
    print("lost")
except OSError as error:
    os.write(2, error.strerror.encode())
