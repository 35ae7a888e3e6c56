"""What an uncaught exception looks like in the reply.

Everything here may meet hostile objects: an exception's class, its ``__str__``, ``args``, ``__notes__`` and the chain
it hangs in belong to user code. What goes wrong while one part is looked at costs that part only.
"""

from ._own import BUILTINS as __builtins__  # noqa: F401, I001

import traceback
import types

TracebackException = traceback.TracebackException
TracebackType = types.TracebackType

MESSAGE_BOUND = 8 * 1024
TRACEBACK_BOUND = 32 * 1024
# More frames than this are left out in the middle. Formatting costs about 10 us a frame.
FRAMES_BOUND = 2400
# More links of __cause__ and __context__ than this are cut off.
CHAIN_BOUND = 64

HERE = __file__.rpartition("/")[0] + "/"

_name_of = type.__dict__["__name__"].__get__
_module_of = type.__dict__["__module__"].__get__
_traceback_of = BaseException.__dict__["__traceback__"].__get__
_context_of = BaseException.__dict__["__context__"].__get__
_cause_of = BaseException.__dict__["__cause__"].__get__
_set_context = BaseException.__dict__["__context__"].__set__
_set_cause = BaseException.__dict__["__cause__"].__set__


def describe(error, filename, last=True):
    """The parts of the reply's ``error`` object: type, module, message, traceback (text) and line (int or None).

    Raises nothing, but if there is no memory and this is not the last attempt, MemoryError.
    """
    kind = type(error)
    try:
        module = _module_of(kind)
        if type(module) is not str:
            module = ""
    except BaseException:
        module = ""
    try:
        frames = _user_frames(_traceback_of(error), filename)
    except BaseException:
        frames = None
    message = _message(error)
    try:
        line = _line(error, frames, filename)
    except BaseException:
        line = None
    try:
        text = _format(kind, error, frames)
    except BaseException as failure:
        if not last and type(failure) is MemoryError:
            raise
        try:
            text = _format_plainly(kind, module, message, frames)
        except BaseException:
            text = f"{_name_of(kind)}: {message[:1000]}\n"
    return {"type": _name_of(kind), "module": module, "message": message, "traceback": text, "line": line}


def _message(error):
    try:
        text = str.__str__(str(error))
    except BaseException as failure:
        return f"<exception str() failed: {_name_of(type(failure))}>"
    return text if len(text) <= MESSAGE_BOUND else text[:MESSAGE_BOUND] + "..."


def _user_frames(frames, filename):
    """The traceback from the first frame of the user's file on; ours come before it."""
    first = frames
    while first is not None and first.tb_frame.f_code.co_filename != filename:
        first = first.tb_next
    if first is None:
        first = frames
        while first is not None and first.tb_frame.f_code.co_filename.startswith(HERE):
            first = first.tb_next
    return _shorten(first)


def _shorten(frames):
    entries = []
    entry = frames
    while entry is not None:
        entries.append(entry)
        entry = entry.tb_next
    if len(entries) <= FRAMES_BOUND:
        return frames
    half = FRAMES_BOUND // 2
    shortened = None
    for entry in reversed(entries[:half] + entries[-half:]):
        shortened = TracebackType(shortened, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return shortened


def _line(error, frames, filename):
    line = None
    while frames is not None:
        if frames.tb_frame.f_code.co_filename == filename:
            line = frames.tb_lineno
        frames = frames.tb_next
    if line is None and issubclass(type(error), SyntaxError) and error.filename == filename:
        line = error.lineno
    return line if type(line) is int else None


def _bound_chain(error):
    seen = set()
    for _ in range(CHAIN_BOUND):
        seen.add(id(error))
        error = _cause_of(error) or _context_of(error)
        if error is None or id(error) in seen:  # a circle is noticed by what formats it
            return
    _set_cause(error, None)
    _set_context(error, None)


def _format(kind, error, frames):
    _bound_chain(error)
    report = TracebackException(kind, error, frames, compact=True)
    _prepare_stacks(report)
    return "".join(report.format())


class _Stack(traceback.StackSummary):
    """Formats equal frames once; the library would do it a thousand times for a recursion, and drop the result."""

    def format_frame_summary(self, frame, **options):
        place = frame.filename, frame.lineno, frame.end_lineno, frame.colno, frame.end_colno, frame.name
        known = self.known.get(place)
        if known is None:
            known = self.known[place] = super().format_frame_summary(frame, **options)
        return known


def _prepare_stacks(report):
    """Take the runtime's frames out, e.g. those of a refusal raised on behalf of ``os.system``."""
    known = {}
    pending = [report]
    while pending:
        report = pending.pop()
        stack = report.stack
        if any(frame.filename.startswith(HERE) for frame in stack):
            stack[:] = [frame for frame in stack if not frame.filename.startswith(HERE)]
        if len(stack) > 10:
            stack.__class__ = _Stack
            stack.known = known
        pending.extend(report.exceptions or ())
        for linked in (report.__cause__, report.__context__):
            if linked is not None:
                pending.append(linked)


def _format_plainly(kind, module, message, frames):
    """A traceback without source lines, made without the standard library's help."""
    lines = ["Traceback (most recent call last):\n"] if frames is not None else []
    count = 0
    while frames is not None and count < 200:
        code = frames.tb_frame.f_code
        if not code.co_filename.startswith(HERE):
            lines.append(f'  File "{code.co_filename}", line {frames.tb_lineno}, in {code.co_name}\n')
            count += 1
        frames = frames.tb_next
    name = _name_of(kind)
    if module not in ("builtins", "__main__", ""):
        name = f"{module}.{name}"
    lines.append(f"{name}: {message}\n" if message else f"{name}\n")
    return "".join(lines)
