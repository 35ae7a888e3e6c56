"""Files that a program left open at its end: what it wrote to them is not lost.

A process closes them on its way out. A run has no such way out, its memory is dropped; so what still sits in the buffers
of Python's file objects is written here.
"""

from ._own import BUILTINS as __builtins__  # noqa: F401, I001

import _io
import gc
import os

from . import _streams

objects, status = gc.get_objects, os.fstat
# From the outside in: a text file writes into a buffered one.
KINDS = (_io.TextIOWrapper, _io.BufferedWriter, _io.BufferedRandom)
FLUSH = {kind: kind.flush for kind in KINDS}
# What holds a descriptor, from the outside in.
HOLDERS = (*KINDS, _io.BufferedReader, _io.FileIO)
CLOSE = {kind: (kind.fileno, kind.close) for kind in HOLDERS}
# Descriptors are given out from the lowest, so that files left open are among the first ones but for odd cases.
LOOKED_AT = 8

_first = 3


def set_up():
    """Learn which descriptors are open from the start. Once, before any program runs."""
    global _first
    while _is_open(_first):
        _first += 1


def _is_open(descriptor):
    try:
        status(descriptor)
    except OSError:
        return False
    return True


def _any_open_in_steps(first, count):
    return any(_is_open(descriptor) for descriptor in range(first, first + count))


try:
    from _prims import any_open as _any_open
except ImportError:  # a host's Python
    _any_open = _any_open_in_steps


def _find(kinds):
    """The file objects of these kinds; none if nothing is open."""
    found = {kind: [] for kind in kinds}
    if _any_open(_first, LOOKED_AT):
        for thing in objects():
            if type(thing) in found:
                found[type(thing)].append(thing)
    return found


def close():
    """Close every file object: its descriptor ends with the call, and its number may soon be another file's.

    What is in its buffers is written. May raise anything.
    """
    found = _find(HOLDERS)
    for kind in HOLDERS:
        number, shut = CLOSE[kind]
        for file in found[kind]:
            try:
                if number(file) < _first:
                    continue
            except BaseException:
                continue  # closed already, or no descriptor behind it
            try:
                shut(file)
            except OSError as error:
                _complain(file, error)
            except BaseException:
                pass


def flush():
    """Write what is left in buffers; a failure is told on stderr, as CPython does at its end. Never raises."""
    try:
        found = _find(KINDS)
        for kind in KINDS:
            for file in found[kind]:
                try:
                    FLUSH[kind](file)
                except ValueError:
                    pass  # it is closed or detached
                except OSError as error:
                    _complain(file, error)
                except BaseException:
                    pass
    except BaseException:
        pass


def _complain(file, error):
    try:
        what = repr(file)  # asks the name, which may be anything
    except BaseException:
        what = f"a {type(file).__name__}"
    _streams.say(f"Exception ignored while flushing {what}:\n{type(error).__name__}: {error}\n")
