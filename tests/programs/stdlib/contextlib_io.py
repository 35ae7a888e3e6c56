# Redirected output is the program's own business.
import contextlib, io, sys
with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(sys.stdout):
    print("captured")
    print("on stderr, which is stdout", file=sys.stderr)
with contextlib.suppress(ZeroDivisionError), contextlib.ExitStack() as stack:
    stack.callback(print, "callback")
    1 / 0
out.getvalue()
