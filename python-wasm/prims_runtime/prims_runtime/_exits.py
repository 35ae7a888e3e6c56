"""What a process does on its way out.

Two modules of the image register callbacks that have nothing to do at the end of most programs, and to find that out they
write to many pages. They are called only where there is something for them.
"""

from ._own import BUILTINS as __builtins__  # noqa: F401, I001

import atexit
import logging
import multiprocessing.util

register, registered, run_registered = atexit.register, atexit._ncallbacks, atexit._run_exitfuncs
shut_down_logging, finalize = logging.shutdown, multiprocessing.util._exit_function
_finalizers, _handlers = multiprocessing.util._finalizer_registry, logging._handlerList
# It writes to stderr and keeps nothing back; every other handler may.
_last_resort = logging.lastResort
_taken = False


def take_over():
    """From now on these two are called here. Once per process."""
    global _taken
    atexit.unregister(finalize)
    atexit.unregister(shut_down_logging)
    _taken = True


def _holds_records():
    try:
        return len(_handlers) != 1 or _handlers[0]() is not _last_resort
    except BaseException:
        return True  # the program put something else into the list


def pending():
    """Whether there is anything to call."""
    return registered() > 0 or _taken and (len(_finalizers) > 0 or _holds_records())


def run():
    """Call what was registered, last things first, then what the standard library would have called after it.

    What raises is told on stderr and ignored, as at the end of every process.
    """
    run_registered()
    if _taken:
        if _holds_records():
            register(shut_down_logging)
        if _finalizers:
            register(finalize)
        run_registered()
