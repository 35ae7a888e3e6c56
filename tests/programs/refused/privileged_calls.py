# Calls of the operating system that have no meaning here are absent or refuse.
import os
found = []
for name, arguments in {"chroot": ("/tmp",), "setuid": (0,), "mknod": ("/tmp/x",), "mkfifo": ("/tmp/f",), "chown": ("/tmp", 0, 0), "nice": (1,), "memfd_create": ("m",), "sched_setaffinity": (0, [0]), "setns": (0, 0), "unshare": (0,), "getrandom": (4,), "ptrace": (), "sendfile": (1, 0, 0, 1), "openpty": (), "ttyname": (0,), "tcgetpgrp": (0,), "getppid": (), "getuid": (), "geteuid": (), "getgroups": (), "setsid": (), "sync": (), "statvfs": ("/",), "getloadavg": (), "wait": (), "getpriority": (0, 0)}.items():
    function = getattr(os, name, None)
    if function is None:
        found.append(f"{name}: absent")
        continue
    try:
        found.append(f"{name}: {function(*arguments)!r}")
    except OSError as error:
        found.append(f"{name}: {type(error).__name__} {error}")
found
