"""The C half of ``multiprocessing`` for a sandbox without processes: it imports, and refuses at the call."""

import errno

NO_PROCESSES = "processes are not available in this sandbox"

flags = {}


def _denied():
    denied = PermissionError(NO_PROCESSES)
    denied.errno = errno.EACCES
    return denied


class SemLock:
    """A semaphore shared between processes."""

    SEM_VALUE_MAX = 0x7FFFFFFF

    def __new__(cls, *args, **kwargs):
        raise _denied()

    @staticmethod
    def _rebuild(*args):
        raise _denied()


def sem_unlink(name, /):
    raise _denied()


def recv(*args):
    raise _denied()


def send(*args):
    raise _denied()
