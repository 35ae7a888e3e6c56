"""One run: set the stage, execute, and say how it ended."""

from ._own import BUILTINS as __builtins__  # noqa: F401, I001

import builtins
import os
import sys
import tempfile
import traceback
import types

from . import _entropy, _error, _exits, _files, _loop, _own, _plain, _program, _render, _rich, _sandbox, _session, _streams
from ._text import bounded

CoroutineType, ModuleType = types.CoroutineType, types.ModuleType
COROUTINE, VALUE = _program.COROUTINE, _program.VALUE
build, register = _program.build, _program.register
clear_frames = traceback.clear_frames
set_trace, set_profile = sys.settrace, sys.setprofile
get_recursion_limit, set_recursion_limit = sys.getrecursionlimit, sys.setrecursionlimit
modules = sys.modules
display_hooks = (sys.displayhook, sys.excepthook, sys.unraisablehook)

RECURSION_LIMIT = 1000
DEFAULT_RESULT_BYTES = 1 << 20
# The least a part of the reply may take, so that a tiny max_result_bytes still leaves something to read.
LEAST = 256

_base_data = {}
_ready = False
_practice = None  # the stream for what rehearsals print
_main = None  # the module of the last run and its names


def set_up():
    """Once per process: refusals, event loop, import of workspace modules, working directory."""
    global _ready, _base_data
    if _ready:
        return
    _ready = True
    if sys.platform == "wasi":
        _sandbox.install()
        _loop.install()
        _sandbox.import_workspace()
        _exits.take_over()
        try:
            os.chdir(_sandbox.HOME)
        except OSError:
            pass
        tempfile.tempdir = "/tmp"
    _files.set_up()
    _base_data = {os.environ.encodekey(k): os.environ.encodevalue(v) for k, v in _sandbox.BASE_ENVIRONMENT.items()}


def practise(stream):
    """From now on runs are rehearsals: what they print goes to ``stream``, and the process's exit callbacks are left alone.

    They draw entropy as all runs do; while an image is built, it is a constant. With None, runs are real again.
    """
    global _practice
    _practice = stream


def run(request):
    """Execute the request's code; the reply as JSON (bytes)."""
    rehearsal = _practice
    code = request["code"]
    filename = request.get("filename") or "<code>"
    limit = request.get("max_result_bytes") or DEFAULT_RESULT_BYTES
    session = request.get("session")
    first = True
    script = None
    if filename[0] != "<":
        filename = script = filename if filename[0] == "/" else f"{_sandbox.HOME}/{filename}"
    _streams.install(request.get("stdin"))
    try:
        if session:
            first = _session.begin()
        else:
            _entropy.reseed()
    except BaseException:
        return NO_ENTROPY  # a program must not run on the image's random numbers
    if rehearsal is not None:
        sys.stdout = sys.stderr = rehearsal
    _environment(request.get("env"), first)
    sys.argv = request.get("argv") or [script or "-c"]

    main, namespace = _main_module(session)
    if script:
        namespace["__file__"] = script
    variables = request.get("globals")
    if variables:
        namespace.update(variables)
    modules["__main__"] = main
    value = failure = None
    try:
        register(code, filename)
        program = build(code, filename)
        if program.co_flags & COROUTINE:
            (_loop.run_on if session else _loop.run)(eval(program, namespace))
        else:
            exec(program, namespace)
        value = namespace.pop(VALUE, None)
    except BaseException as error:
        failure = error
    try:
        set_trace(None)
        set_profile(None)
    except BaseException:
        pass  # an audit hook of the program forbids it
    try:
        if get_recursion_limit() < RECURSION_LIMIT:
            set_recursion_limit(RECURSION_LIMIT)
        if failure is None:
            reply = _completed(value, limit)
        elif issubclass(type(failure), SystemExit):  # isinstance would ask the exception
            reply = _exited(failure)
        else:
            reply = _raised(failure, code, filename, last=False)
        if session:
            _session.remember(value)
            value = failure = None  # tracebacks refer to this frame, and this frame to them
            _streams.flush()
            _session.end()
        else:
            if _exits.pending() and rehearsal is None:
                _exits.run()
            _streams.flush()
            _files.flush()
    except MemoryError:
        # Let go of everything the program made; after that there is room for a reply.
        value = None
        namespace.clear()
        reply = OUT_OF_MEMORY
        if failure is not None and not issubclass(type(failure), SystemExit):
            try:
                clear_frames(failure.__traceback__)
                reply = _raised(failure, code, filename)
            except BaseException:
                pass
        if session:
            reply = reply[:-1] + b',"lost":true}'  # the names are gone
    except BaseException:
        reply = UNREPORTABLE
    return reply


def _main_module(keep):
    """A new module, or the one the last run left behind, and its names."""
    global _main
    if not keep or _main is None:
        module = ModuleType("__main__")
        names = module.__dict__
        names["__annotations__"] = {}
        _main = module, names
    # exec would put our own copy of the builtins here.
    _main[1]["__builtins__"] = builtins
    return _main


def leave_main():
    """Forget the main module of a rehearsal."""
    global _main
    _main = None
    modules["__main__"] = ModuleType("__main__")
    _program._cache.pop("<code>", None)


def _environment(extra, fresh):
    """os.environ is the base environment plus ``extra``, and nothing that was there before, unless it is to stay."""
    environ = os.environ
    if fresh and environ._data != _base_data:
        environ.clear()
        environ.update(_sandbox.BASE_ENVIRONMENT)
    if extra:
        for key, value in extra.items():
            try:
                environ[key] = value
            except (ValueError, OSError):
                pass  # a name with "=" or a zero byte: no process could have it
        if not extra.keys().isdisjoint(("TMPDIR", "TEMP", "TMP")):
            tempfile.tempdir = None


def _completed(value, limit):
    if value is None:
        return NOTHING
    kind = type(value)
    if kind is int and -1_000_000_000_000_000 < value < 1_000_000_000_000_000:
        text = b"%d" % value
        return b'{"exit":"completed","has_value":true,"repr":"%b","repr_truncated":false,"json":%b,"has_json":true}' % (
            text,
            text,
        )
    if kind is CoroutineType:
        return _not_awaited(value)
    half = max(LEAST, limit // 2)
    shown, cut = _render.bounded_repr(value, half)
    shown, cut_again = bounded(shown, half)
    plain = _plain.to_json(value, half)
    parts = [b'{"exit":"completed","has_value":true,"repr":', shown]
    parts.append(b',"repr_truncated":true' if cut or cut_again else b',"repr_truncated":false')
    if plain is None:
        parts.append(b',"json":null,"has_json":false')
    else:
        parts += (b',"json":', plain, b',"has_json":true')
    form = _rich.rich(value, limit - len(shown) - len(plain or b""))
    if form is not None:
        data, cut = bounded(form["data"], max(LEAST, limit - len(shown) - len(plain or b"")))
        if not cut:
            parts += (b',"rich":{"mime":"', form["mime"].encode(), b'","data":', data, b"}")
    parts.append(b"}")
    return b"".join(parts)


def _not_awaited(coroutine):
    """A coroutine is shown and closed: dropped, it would be complained about with a place in this file."""
    shown, name = bounded(repr(coroutine), LEAST)[0], coroutine.__qualname__
    waits = not (coroutine.cr_running or coroutine.cr_suspended or coroutine.cr_frame is None)
    try:
        coroutine.close()
    except BaseException:
        pass
    if waits:
        _streams.say(
            f"RuntimeWarning: coroutine '{name}' was never awaited (the value of a program may be an await expression)\n"
        )
    return b'{"exit":"completed","has_value":true,"repr":%b,"repr_truncated":false,"json":null,"has_json":false}' % shown


NOTHING = b'{"exit":"completed","has_value":false,"repr":"None","repr_truncated":false,"json":null,"has_json":true}'


def _raised(failure, code, filename, last=True):
    _own.restore()
    register(code, filename)
    hook = sys.__dict__.get("excepthook")
    if hook is not display_hooks[1] and hook is not None:
        try:
            hook(type(failure), failure, _error._user_frames(failure.__traceback__, filename))
        except BaseException:
            pass
    found = _error.describe(failure, filename, last)
    line = found["line"]
    return b'{"exit":"raised","error":{"type":%b,"module":%b,"message":%b,"traceback":%b,"line":%b}}' % (
        bounded(found["type"], 1024)[0],
        bounded(found["module"], 1024)[0],
        bounded(found["message"], 12 * 1024)[0],
        bounded(found["traceback"], _error.TRACEBACK_BOUND, tail=True)[0],
        b"null" if line is None else b"%d" % line,
    )


def _exited(failure):
    """The status a process would end with; what is no status is printed, and counts as 1."""
    _own.restore()
    try:
        code = failure.code
    except BaseException:
        code = 1
    message = b"null"
    if code is None:
        status = 0
    elif issubclass(type(code), int):
        status = int.__and__(code, 0xFF) if -(1 << 63) <= code < 1 << 63 else 0xFF
    else:
        status = 1
        try:
            text = str.__str__(str(code))
        except BaseException:
            text = ""
        _streams.say(text + "\n")
        message = bounded(text, 12 * 1024)[0]
    return b'{"exit":"exited","code":%d,"message":%b}' % (status, message)


OUT_OF_MEMORY = (
    b'{"exit":"raised","error":{"type":"MemoryError","module":"builtins","message":"","traceback":'
    b'"MemoryError\\n","line":null}}'
)
NO_ENTROPY = (
    b'{"exit":"raised","error":{"type":"RuntimeError","module":"builtins","message":"the random number generators of '
    b'this image cannot be seeded","traceback":"RuntimeError: the random number generators of this image cannot be '
    b'seeded\\n","line":null}}'
)
UNREPORTABLE = (
    b'{"exit":"raised","error":{"type":"RuntimeError","module":"builtins","message":"the result cannot be reported",'
    b'"traceback":"RuntimeError: the result cannot be reported\\n","line":null}}'
)
