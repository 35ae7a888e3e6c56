"""Fresh randomness for a clone.

All clones of an image start from the same memory, so every generator in it would repeat itself. `collect` finds the
generators while the image is built, `reseed` gives each of them a new state from the host at the start of a run.
"""

from ._own import BUILTINS as __builtins__  # noqa: F401, I001

import _random
import gc
import logging
import os
import random
import sys
import tempfile
import time
import uuid

urandom = os.urandom
_seed = _random.Random.seed
_generators = [random._inst]
_others = []
_numpy = []


def collect():
    """Find every generator in memory. Call it before ``gc.freeze``, which hides objects from the collector."""
    del _generators[:], _others[:], _numpy[:]
    numpy_random = sys.modules.get("numpy.random")
    bit_generator = getattr(numpy_random, "BitGenerator", None)
    holders = tuple(
        kind for kind in (getattr(numpy_random, name, None) for name in ("Generator", "RandomState")) if kind
    )
    seen = set()
    for thing in gc.get_objects():
        kind = type(thing)
        if issubclass(kind, random.Random):
            if kind is random.Random:
                _generators.append(thing)
            elif not issubclass(kind, random.SystemRandom):
                _others.append(thing)
        elif holders and issubclass(kind, holders):
            bits = thing.bit_generator if hasattr(thing, "bit_generator") else thing._bit_generator
            if id(bits) not in seen:
                seen.add(id(bits))
                _numpy.append(_numpy_reseeder(bits, thing))
        elif bit_generator and issubclass(kind, bit_generator) and id(thing) not in seen:
            seen.add(id(thing))
            _numpy.append(_numpy_reseeder(thing, None))


def _numpy_reseeder(bits, holder):
    """A function that gives this numpy generator a new state."""
    import numpy

    legacy = type(holder).__name__ == "RandomState"
    if type(bits).__name__ == "MT19937" and legacy:
        # The state as a tuple is the fast way in: 624 words and the position past their end. It clears the spare
        # normal deviate too.
        frombuffer, word, set_state = numpy.frombuffer, numpy.dtype("<u4"), holder.set_state

        def reseed():
            set_state(("MT19937", frombuffer(urandom(2496), word), 624, 0, 0.0))

    else:
        kind = type(bits)

        def reseed():
            bits.state = kind(int.from_bytes(urandom(16))).state

    return reseed


def reseed():
    """New state for all generators, new names, new clocks. Raises if any of it fails: the run must not start."""
    for generator in _generators:
        _seed(generator, int.from_bytes(urandom(16)))
        generator.gauss_next = None
    for generator in _others:
        generator.seed(int.from_bytes(urandom(16)))
    for renew in _numpy:
        renew()
    tempfile._name_sequence = None
    uuid._node = uuid._last_timestamp = None
    logging._startTime = time.time_ns()
