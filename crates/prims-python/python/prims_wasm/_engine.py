"""Engines: one for each set of options, shared by every sandbox of this process that has them."""

from __future__ import annotations

import atexit
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import _native
from ._errors import InvalidArgument

FileContent = str | bytes | os.PathLike[str]
"""Text, bytes, or the path of a file of the host that is copied."""

_lock = threading.Lock()
_engines: dict[Options, _native.Engine] = {}
_process: int | None = None


@dataclass(frozen=True)
class Options:
    """How an engine is set up. What is `None` is as the settings file and `PRIMS_*` variables say."""

    cache_dir: str | None = None
    data_dir: str | None = None
    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    offline: bool | None = None
    auto_deps: bool | None = None
    on_progress: Callable[[str], object] | None = None


@dataclass(frozen=True)
class Defaults:
    """What a run gets when it asks for nothing else."""

    deps: tuple[str, ...] = ()
    timeout: float | None = None
    memory: int | None = None
    fuel: int | None = None
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Request:
    """A run, as the native half reads it."""

    code: str
    deps: list[str]
    globals: str | None
    stdin: str | None
    env: dict[str, str]
    given: list[tuple[str, FileContent]]
    timeout: float | None
    memory: int | None
    fuel: int | None
    filename: str | None
    session: str | None
    lines: bool
    on_output: Callable[[str, str], object] | None
    cancel: _native.Cancel
    is_main_thread: bool

    @property
    def files(self) -> list[tuple[str, bytes]]:
        """The files that the code finds. Those given as paths are read now, in the thread that starts the run."""
        return [(path, content(of)) for path, of in self.given]


def engine_for(options: Options) -> _native.Engine:
    """The engine with these options; made if there is none yet, which takes as long as compiling takes the first time."""
    global _process
    process = os.getpid()
    if _process not in (None, process):
        hint = "make sandboxes in the process that uses them, or start processes with `spawn`"
        raise InvalidArgument("this process is a fork of one that had sandboxes", hint)
    engine = _engines.get(options)
    if engine is None:
        with _lock:
            if _process is None:
                _process = process
                _native.use_seed(Path(__file__).parent / "seed", Path(_native.__file__))
                atexit.register(_close_all)
            engine = _engines.get(options)
            if engine is None:
                engine = _engines[options] = _native.Engine(options)
    return engine


def _after_fork() -> None:
    # Whoever holds it in the process that was forked is not in this one.
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def is_made(options: Options) -> bool:
    """Whether `engine_for` answers at once."""
    return options in _engines


def _close_all() -> None:
    if _process == os.getpid():
        for engine in _engines.values():
            engine.close()


def request(
    code: str,
    defaults: Defaults,
    *,
    deps: Sequence[str] | None = None,
    globals: Mapping[str, Any] | None = None,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    files: Mapping[str, FileContent] | None = None,
    timeout: float | None = None,
    memory: int | None = None,
    fuel: int | None = None,
    filename: str | None = None,
    session: str | None = None,
    lines: bool = False,
    on_output: Callable[[str, str], object] | None = None,
    is_main_thread: bool = False,
) -> Request:
    """Puts a request together; what is not given is the sandbox's default."""
    # A session has its own requirements.
    own = () if session else defaults.deps
    return Request(
        code,
        together(own, deps),
        None if globals is None else _json(globals),
        stdin,
        {**defaults.env, **env} if env else dict(defaults.env),
        list((files or {}).items()),
        defaults.timeout if timeout is None else timeout,
        defaults.memory if memory is None else memory,
        defaults.fuel if fuel is None else fuel,
        filename,
        session,
        lines,
        on_output,
        _native.Cancel(),
        is_main_thread,
    )


def together(own: Sequence[str], more: Sequence[str] | None) -> list[str]:
    """Requirements without repetitions, in order."""
    if isinstance(more, str):
        raise InvalidArgument(f"deps is the text `{more}`, expected a list of requirements")
    return list(dict.fromkeys((*own, *(more or ()))))


def content(of: FileContent) -> bytes:
    """The bytes of a file that is given in one of the ways there are."""
    if isinstance(of, str):
        return of.encode()
    if isinstance(of, (bytes, bytearray, memoryview)):
        return bytes(of)
    return Path(of).read_bytes()


def _json(globals: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(globals), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument(f"globals cannot be given to the code: {error}", "give values that JSON has") from None
