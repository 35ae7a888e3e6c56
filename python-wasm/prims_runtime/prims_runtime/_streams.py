"""sys.stdin, sys.stdout and sys.stderr of a run."""

from ._own import BUILTINS as __builtins__  # noqa: F401, I001

import io
import sys

TextIOWrapper = io.TextIOWrapper


class Output(io.FileIO):
    """A file descriptor written to without a buffer: what was printed has left the guest when print returns.

    A raw file may write less than it was given, and the text layer above does not look; this one goes on.
    """

    def write(self, data, _write=io.FileIO.write):
        written = _write(self, data)
        size = len(data)
        if written == size:
            return size
        if not isinstance(data, bytes):
            data = bytes(data)  # e.g. an array, whose len is not its size in bytes
            size = len(data)
        while written < size:
            written += _write(self, data[written:])
        return size

    @property
    def raw(self):
        return self


class Input(io.BytesIO):
    """The text given as stdin. It is nobody's descriptor, but programs ask for the number."""

    name = "<stdin>"
    mode = "rb"

    def fileno(self):
        return 0

    @property
    def raw(self):
        return self


def output(target, name, line_buffering):
    """The text stream for file descriptor ``target``; tests give a path instead."""
    raw = Output(target, "wb", closefd=not isinstance(target, int))
    raw.name = name
    # Lone surrogates must not raise: they are shown as backslash escapes.
    text = TextIOWrapper(raw, "utf-8", "backslashreplace", "\n", line_buffering, True)
    text.mode = "w"
    return text


def _input(data):
    text = TextIOWrapper(Input(data), "utf-8", "surrogateescape")
    text.mode = "r"
    return text


_out = _err = _empty = None


def install(stdin):
    """Give the run fresh standard streams; ``stdin`` is text or None."""
    global _out, _err, _empty
    if _out is None or _out.closed or _out.buffer.closed:
        _out = output(1, "<stdout>", False)
    if _err is None or _err.closed or _err.buffer.closed:
        _err = output(2, "<stderr>", True)
    sys.stdout = sys.__stdout__ = _out
    sys.stderr = sys.__stderr__ = _err
    if stdin:
        sys.stdin = sys.__stdin__ = _input(stdin.encode("utf-8", "surrogateescape"))
    else:
        if _empty is None or _empty.closed:
            _empty = _input(b"")
        sys.stdin = sys.__stdin__ = _empty


def flush():
    """Flush whatever user code put in place of stdout and stderr (a common idiom is a buffered wrapper)."""
    for name in ("stdout", "stderr"):
        try:
            stream = getattr(sys, name, None)
            if stream is not None:
                stream.flush()
        except BaseException:
            pass


def say(text):
    """Write to stderr, wherever it went; never raises."""
    for stream in (getattr(sys, "stderr", None), _err):
        try:
            stream.write(text)
            stream.flush()
            return
        except BaseException:
            continue
