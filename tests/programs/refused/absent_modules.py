# Modules for terminals that CPython does not have on this platform are simply not there.
missing = []
for name in ("pty", "termios", "tty", "curses", "readline", "fcntl", "resource", "grp", "pwd", "syslog", "crypt", "dbm.gnu", "_posixsubprocess"):
    try:
        __import__(name)
    except ImportError as error:
        missing.append(f"{type(error).__name__}: {error}")
missing
