"""What the sandbox does not have refuses at the call, with an exception that says so.

There are no sockets, threads or processes behind these functions; the messages are for people (and models), and they
hold nobody back who wants to reach further: the host does that.
"""

from ._own import BUILTINS as __builtins__  # noqa: I001

import _thread
import errno
import os
import sys
import threading
from _operator import index
from _signal import raise_signal

NO_PROCESSES = "processes are not available in this sandbox"
NO_PIPES = "pipes are not available in this sandbox"
NO_THREADS = "can't start new thread: threads are not available in this sandbox"
NO_NETWORK = "network access is disabled in this sandbox"
NO_WAKING = "this wait would never end: nothing can wake it, because threads are not available in this sandbox"

HOME = "/workspace"
HOST_NAME = "sandbox"
BASE_ENVIRONMENT = {
    "HOME": HOME,
    "LANG": "C.UTF-8",
    "LOGNAME": "sandbox",
    "MPLBACKEND": "Agg",
    "MPLCONFIGDIR": "/tmp/.config/matplotlib",  # HOME is the workspace, and settings are no artifacts
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "PWD": HOME,
    "TMPDIR": "/tmp",
    "USER": "sandbox",
    "XDG_CACHE_HOME": "/tmp/.cache",
    "XDG_CONFIG_HOME": "/tmp/.config",
}


def denied(message):
    """A PermissionError whose text is only ``message``, and whose errno is EACCES."""
    error = PermissionError(message)
    error.errno = errno.EACCES
    return error


def _refusal(name, message, module="os"):
    def refuse(*args, **kwargs):
        raise denied(message)

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__module__ = module
    return refuse


def _no_thread(*args, **kwargs):
    raise RuntimeError(NO_THREADS)


def install():
    """Put the refusals in place. Once, before any user code; there is no way back."""
    _install_os()
    _install_forks()
    _install_threads()
    _install_processes()
    _install_exits()
    _install_missing()


def _install_os():
    processes = ["system", "fork", "forkpty", "execv", "execve", "posix_spawn", "posix_spawnp", "popen"]
    processes += ["spawn" + how for how in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")]
    for name in processes:
        setattr(os, name, _refusal(name, NO_PROCESSES))
    os.pipe = _refusal("pipe", NO_PIPES)
    os.kill = _kill
    os.getlogin = lambda: BASE_ENVIRONMENT["USER"]
    described = os.uname_result(("wasi", HOST_NAME, "0.0.0", "prims-wasm", "wasm32"))
    os.uname = lambda: described


def _install_forks():
    """There is never a fork: what should happen around one is taken and forgotten."""
    # Imported before, because where they find the function they reach for parts of locks that only fork needs.
    import asyncio.events
    import concurrent.futures.thread
    import logging  # noqa: F401

    if not hasattr(os, "register_at_fork"):

        def register_at_fork(*, before=None, after_in_child=None, after_in_parent=None):
            """There is never a fork, so nothing of this is ever called."""

        os.register_at_fork = register_at_fork


def _kill(pid, signal, /):
    """A program may send itself a signal; there is nobody else."""
    if index(pid) not in (os.getpid(), 0):
        raise denied(NO_PROCESSES)
    if signal:  # 0 only asks whether the process is there
        raise_signal(signal)


_kill.__name__ = _kill.__qualname__ = "kill"


def _install_threads():
    for module in (_thread, threading):
        for name in ("start_new_thread", "start_new", "start_joinable_thread"):
            for spelled in (name, "_" + name):
                if hasattr(module, spelled):
                    setattr(module, spelled, _no_thread)

    wait = threading.Condition.wait

    def wait_or_refuse(self, timeout=None):
        # A wait with a timeout ends by itself (or the host ends it); without one it could only be a deadlock.
        if timeout is None and self._is_owned():
            raise RuntimeError(NO_WAKING)
        return wait(self, timeout)

    wait_or_refuse.__name__ = "wait"
    wait_or_refuse.__qualname__ = "Condition.wait"
    wait_or_refuse.__doc__ = wait.__doc__
    threading.Condition.wait = wait_or_refuse


def _install_processes():
    import concurrent.futures.process
    import multiprocessing.pool
    import multiprocessing.process
    import subprocess

    def popen(self, *args, **kwargs):
        self.returncode = None
        self._child_created = False  # read by __del__
        raise denied(NO_PROCESSES)

    popen.__name__ = "__init__"
    popen.__qualname__ = "Popen.__init__"
    subprocess.Popen.__init__ = popen
    multiprocessing.process.BaseProcess.start = _refusal("start", NO_PROCESSES, "multiprocessing.process")
    multiprocessing.pool.Pool.__init__ = _pool_init
    # What the standard library says itself where processes cannot be: `compileall` and others go on without.
    concurrent.futures.process._system_limits_checked = True
    concurrent.futures.process._system_limited = NO_PROCESSES


def _pool_init(self, *args, **kwargs):
    import multiprocessing.pool

    self._state = "CLOSE"  # read by __del__
    if issubclass(type(self), multiprocessing.pool.ThreadPool):
        raise RuntimeError(NO_THREADS)
    raise denied(NO_PROCESSES)


def _install_exits():
    """exit, quit and help, which ``site`` would bring."""
    import _sitebuiltins
    import builtins

    for name in ("exit", "quit"):
        quitter = _sitebuiltins.Quitter(name, "Ctrl-D (i.e. EOF)")
        setattr(builtins, name, quitter)
        __builtins__[name] = quitter
    builtins.help = __builtins__["help"] = _sitebuiltins._Helper()


def _install_missing():
    """Small functions the platform lacks and programs take for granted."""
    import platform
    import time

    if not hasattr(time, "thread_time"):
        time.thread_time, time.thread_time_ns = time.process_time, time.process_time_ns
        information = time.get_clock_info

        def get_clock_info(name, /):
            return information("process_time" if name == "thread_time" else name)

        time.get_clock_info = get_clock_info
    if not hasattr(os, "umask"):
        mask = 0o022

        def umask(mode, /):
            """The mask is kept and has no effect: files here have no permissions."""
            nonlocal mask
            old, mask = mask, mode & 0o777
            return old

        os.umask = umask
    if not hasattr(os, "getuid"):
        # What `os.stat` says of every file. There is no geteuid: where it is 0, programs take themselves to be allowed to chown.
        os.getuid = os.getgid = lambda: 0

    original = platform.libc_ver

    def libc_ver(executable=None, lib="", version="", chunksize=16384):
        """Of the interpreter, whose file does not exist here, nothing is known; any other file is looked at."""
        if executable in (None, sys.executable):
            return lib, version
        return original(executable, lib, version, chunksize)

    platform.libc_ver = libc_ver


def import_workspace():
    """Make modules in the workspace importable: after the standard library, before installed packages."""
    if HOME in sys.path:
        return
    from importlib.machinery import (
        BYTECODE_SUFFIXES,
        SOURCE_SUFFIXES,
        FileFinder,
        SourceFileLoader,
        SourcelessFileLoader,
    )

    class WorkspaceFinder(FileFinder):
        """Looks at the folder each time: a run writes a module and imports it within one tick of the file clock."""

        def find_spec(self, fullname, target=None):
            self.invalidate_caches()
            return super().find_spec(fullname, target)

    place = next((index for index, path in enumerate(sys.path) if path.endswith("site-packages")), len(sys.path))
    sys.path.insert(place, HOME)
    sys.path_importer_cache[HOME] = WorkspaceFinder(
        HOME, (SourceFileLoader, SOURCE_SUFFIXES), (SourcelessFileLoader, BYTECODE_SUFFIXES)
    )
