"""Fresh randomness for a clone.

All clones of an image start from the same memory, so every generator in it would repeat itself. `collect` finds the
generators while the image is built, `reseed` gives each of them a new state from the host at the start of a run.
"""

from ._own import BUILTINS as __builtins__  # noqa: F401, I001

import _random
import gc
import logging
import multiprocessing.process
import os
import random
import sys
import tempfile
import time
import uuid

urandom = os.urandom
AuthenticationString = multiprocessing.process.AuthenticationString
_main_process = multiprocessing.process.current_process()
_seed = _random.Random.seed
_generators = [random._inst]
_others = []
_numpy = []
_known = {id(random._inst)}


def collect():
    """Find every generator in memory. Call it before ``gc.freeze``, which hides objects from the collector.

    What an earlier call found stays known.
    """
    numpy_random = sys.modules.get("numpy.random")
    holders, bit_generators = (), ()
    if numpy_random is not None:
        holders = (numpy_random.Generator, numpy_random.RandomState)
        bit_generators = (numpy_random.BitGenerator,)
    found = []
    for thing in gc.get_objects():
        kind = type(thing)
        if issubclass(kind, random.Random):
            if id(thing) not in _known:
                _known.add(id(thing))  # our lists keep it alive, so the id stays its own
                if kind is random.Random:
                    _generators.append(thing)
                elif not issubclass(kind, random.SystemRandom):
                    _others.append(thing)
        elif issubclass(kind, holders):
            bits = thing._bit_generator if kind is numpy_random.RandomState else thing.bit_generator
            found.insert(0, (bits, thing))
        elif issubclass(kind, bit_generators):
            found.append((thing, None))
    # Holders come first: a RandomState has a spare deviate to forget, besides the state of its bit generator.
    for bits, holder in found:
        if id(bits) not in _known:
            _known.add(id(bits))
            _numpy.append((id(bits), _numpy_reseeder(bits, holder)))


def _numpy_reseeder(bits, holder):
    """A function that gives this numpy generator a new state."""
    import numpy

    legacy = isinstance(holder, numpy.random.RandomState)
    if legacy and type(bits) is numpy.random.MT19937:
        # Four words of seed: 7 us, where setting all 624 words of the state takes 35.
        frombuffer, word, seed = numpy.frombuffer, numpy.dtype("<u4"), holder.seed

        def renew():
            seed(frombuffer(urandom(16), word))

    else:
        kind = type(bits)

        def renew():
            bits.state = kind(int.from_bytes(urandom(16))).state
            if legacy:
                holder._reset_gauss()

    return renew


def reseed(except_for=()):
    """New state for all generators but those with one of these ids, new names, new clocks.

    Raises if any of it fails: the run must not start.
    """
    for generator in _generators:
        if id(generator) not in except_for:
            _seed(generator, int.from_bytes(urandom(16)))
            generator.gauss_next = None
    for generator in _others:
        generator.seed(int.from_bytes(urandom(16)))
    for key, renew in _numpy:
        if key not in except_for:
            renew()
    tempfile._name_sequence = None
    uuid._node = uuid._last_timestamp = None
    _main_process._config["authkey"] = AuthenticationString(urandom(32))
    logging._startTime = time.time_ns()
