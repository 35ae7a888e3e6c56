"""Calls of a session: what differs from a run that is alone in its memory.

Between two calls the host keeps the memory. Descriptors, the temporary folder and the standard streams do not survive;
names, imports, functions, suspended generators, tasks, the environment and the working directory do.
"""

from ._own import BUILTINS as __builtins__  # noqa: F401, I001

import builtins
import functools
import gc
import random
import sys
import time

from . import _entropy, _files

_collect, _enabled, _clock = gc.collect, gc.isenabled, time.perf_counter
_modules = sys.modules

# Searching all of a session's objects for garbage is worth this many seconds of a call; where it takes longer, not every call does it.
COLLECTION_BOUND = 0.02

_begun = False
_seeded = set()  # ids of the generators whose numbers the program chose
_spared = 0  # calls that will not search for garbage


def begin():
    """Fresh randomness for a call, except in generators the program has seeded. True in the first call of a session."""
    global _begun
    first, _begun = not _begun, True
    if first:
        _watch()
    _entropy.reseed(_seeded)
    return first


def _watch():
    """Notice from now on when the program seeds a generator that all modules share."""
    for name in ("seed", "setstate"):
        _wrap((random,), name, random._inst)
    numpy_random = _modules.get("numpy.random")
    if numpy_random is not None:
        shared = numpy_random.mtrand._rand._bit_generator
        for name in ("seed", "set_state"):
            _wrap((numpy_random, numpy_random.mtrand), name, shared)


def _wrap(modules, name, generator):
    inner = getattr(modules[0], name)
    key = id(generator)

    @functools.wraps(inner)
    def noticed(*args, **kwargs):
        result = inner(*args, **kwargs)
        chosen = [*args, *kwargs.values()]
        # seed() and seed(None) ask for numbers nobody can foretell, which every call gets anyway.
        if chosen and chosen[0] is not None:
            _seeded.add(key)
        else:
            _seeded.discard(key)
        return result

    for module in modules:
        setattr(module, name, noticed)


def remember(value):
    """The value of the last call is ``_``, unless the program has a variable of that name."""
    if value is not None:
        builtins._ = value


def end():
    """Let go of what does not survive the call. Never raises."""
    global _spared
    try:
        _files.close()
        if _spared > 0:
            _spared -= 1
        elif _enabled():
            began = _clock()
            _collect()
            _spared = int((_clock() - began) / COLLECTION_BOUND)
    except BaseException:
        pass
