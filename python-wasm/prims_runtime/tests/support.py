"""Runs programs through `prims_runtime.handle` in this process and puts everything back afterwards."""

import builtins
import contextlib
import dataclasses
import gc
import json
import os
import shutil
import sys
import tempfile
import threading
import unittest
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
IN_GUEST = sys.platform == "wasi"
if not IN_GUEST:
    sys.path.insert(0, os.path.dirname(HERE))

import prims_runtime  # noqa: E402
from prims_runtime import _streams  # noqa: E402


@dataclasses.dataclass
class Ran:
    """A reply, and what was printed."""

    reply: dict
    size: int
    out: str
    err: str

    def __getattr__(self, name):
        try:
            return self.reply[name]
        except KeyError:
            raise AttributeError(name) from None


@contextlib.contextmanager
def untouched():
    """Save what a run changes in the process, and put it back."""
    system, modules, builtin_names = dict(vars(sys)), dict(sys.modules), dict(vars(builtins))
    environ, path, limit = dict(os.environ), list(sys.path), sys.getrecursionlimit()
    digits, callbacks, filters = sys.get_int_max_str_digits(), list(gc.callbacks), list(warnings.filters)
    folder, temporary, hook = os.getcwd(), tempfile.tempdir, threading.excepthook
    try:
        yield
    finally:
        shared = builtins.__dict__
        shared |= builtin_names  # first, since even this code needs them
        for name in [name for name in shared if name not in builtin_names]:
            del shared[name]
        gc.callbacks[:] = callbacks
        vars(sys).update(system)
        sys.modules.clear()
        sys.modules.update(modules)
        os.environ.clear()
        os.environ.update(environ)
        sys.path[:] = path
        sys.setrecursionlimit(limit)
        sys.set_int_max_str_digits(digits)
        os.chdir(folder)
        tempfile.tempdir = temporary
        threading.excepthook = hook
        warnings.filters[:] = filters
        warnings._filters_mutated()


@contextlib.contextmanager
def scratch_folder():
    """A folder for a while. Not TemporaryDirectory: the exit callbacks that a run calls would remove that."""
    folder = tempfile.mkdtemp()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(code, **request):
    """Serve one run request; stdout and stderr are caught in files, as the host would catch them."""
    with scratch_folder() as folder, untouched():
        out, err = os.path.join(folder, "out"), os.path.join(folder, "err")
        saved = _streams._out, _streams._err, _streams._empty
        _streams._out = _streams.output(out, "<stdout>", False)
        _streams._err = _streams.output(err, "<stderr>", True)
        _streams._empty = None
        opened = _streams._out, _streams._err
        shared = builtins.__dict__
        originals = dict(shared)
        try:
            raw = prims_runtime.handle(json.dumps({"op": "run", "code": code, **request}).encode())
            shared |= originals
            assert type(raw) is bytes, raw
            # Read before anything is closed: what is not in the file now would be lost with the guest.
            with open(out, "rb") as file:
                printed = file.read()
            with open(err, "rb") as file:
                complained = file.read()
        finally:
            _streams._out, _streams._err, _streams._empty = saved
            for stream in opened:
                with contextlib.suppress(Exception):
                    stream.close()
        reply = json.loads(raw.decode("utf-8", "strict"), parse_constant=reject)
        return Ran(reply, len(raw), printed.decode("utf-8", "strict"), complained.decode("utf-8", "strict"))


def reject(constant):
    raise AssertionError(f"{constant} is not JSON")


class Case(unittest.TestCase):
    """Assertions on replies."""

    maxDiff = None

    def completes(self, code, **request):
        ran = run(code, **request)
        self.assertEqual(ran.exit, "completed", ran.reply)
        return ran

    def raises(self, code, kind=None, **request):
        ran = run(code, **request)
        self.assertEqual(ran.exit, "raised", ran.reply)
        if kind is not None:
            self.assertEqual(ran.error["type"], kind, ran.reply)
        self.assertNotIn("prims_runtime/", ran.error["traceback"])
        return ran

    def exits(self, code, status, **request):
        ran = run(code, **request)
        self.assertEqual((ran.exit, ran.reply.get("code")), ("exited", status), ran.reply)
        return ran

    def value(self, code, **request):
        """The JSON of the value, which must have one."""
        ran = self.completes(code, **request)
        self.assertTrue(ran.has_json, ran.reply)
        return ran.json

    def text(self, code, **request):
        """The repr of the value."""
        return self.completes(code, **request).repr
