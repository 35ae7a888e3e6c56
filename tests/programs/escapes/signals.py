# Signals cannot reach anything but the program itself.
import os, signal
def attempt(name, function):
    try:
        print(name, "gave", function())
    except (OSError, ValueError, AttributeError) as error:
        print(name, type(error).__name__, error)
attempt("kill 1", lambda: os.kill(1, 9))
attempt("killpg", lambda: os.killpg(1, 9))
attempt("alarm", lambda: signal.alarm(1))
attempt("setitimer", lambda: signal.setitimer(signal.ITIMER_REAL, 1))
attempt("unknown", lambda: signal.raise_signal(200))
signal.raise_signal(signal.SIGTERM)
print("not reached")
