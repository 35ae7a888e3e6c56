"""Running code, one call at a time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from . import _native
from ._engine import Defaults, FileContent, Options, content, engine_for, request, together
from ._errors import InvalidArgument
from ._results import Artifact, Output, Package, Result, Stream, result_of

__all__ = ["Sandbox", "Session"]

OutputHandler = Callable[[Output], object]


def is_main_thread() -> bool:
    """Whether this is the thread in which handlers of signals run."""
    return threading.current_thread() is threading.main_thread()


class Base:
    """What sandboxes of both kinds have in common: their options and the defaults of their runs."""

    def __init__(
        self,
        deps: Sequence[str] = (),
        *,
        timeout: float | None = None,
        memory: int | None = None,
        fuel: int | None = None,
        env: Mapping[str, str] | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        data_dir: str | os.PathLike[str] | None = None,
        index_url: str | None = None,
        extra_index_urls: Sequence[str] = (),
        offline: bool | None = None,
        auto_deps: bool | None = None,
        on_progress: Callable[[str], object] | None = None,
    ) -> None:
        """
        Args:
            deps: Requirements of every run, as in `pip install`.
            timeout: Seconds that a run may take; 30 if nobody says otherwise.
            memory: Bytes of memory that a run may use, the interpreter's own included; 512 MiB if nobody says otherwise.
            fuel: Metering units that a run may spend.
            env: Environment variables of every run. Nothing of this process's environment is passed on.
            cache_dir: Where compiled code, images and packages are kept; the user's cache folder if not given.
            data_dir: Where sessions are kept, for this or a later process; sandboxes of one process that share it have the same options from `cache_dir` on. If
                not given they are gone with this process.
            index_url: The package index to ask instead of the usual one.
            extra_index_urls: Indexes to ask besides.
            offline: Ask no index.
            auto_deps: Install what code imports and no requirement names.
            on_progress: Called with a line of text when something slow begins, on any thread. Sandboxes share an interpreter if they have the same options from
                `cache_dir` on, so give all of them the same function.
        """
        self._closed = False
        self._defaults = Defaults(tuple(together((), deps)), timeout, memory, fuel, dict(env or {}))
        self._options = Options(
            # The working directory may be another one when the engine is made.
            None if cache_dir is None else os.path.abspath(cache_dir),
            None if data_dir is None else os.path.abspath(data_dir),
            index_url,
            tuple(extra_index_urls),
            offline,
            auto_deps,
            on_progress,
        )

    def _engine(self) -> _native.Engine:
        if self._closed:
            raise InvalidArgument("the sandbox is closed")
        return engine_for(self._options)


class Sandbox(Base):
    """Runs Python code, isolated from this process and from other runs, under hard limits.

    Made quickly and shared freely: methods may be called from any number of threads, and the interpreter lock is released while code runs. The first run of an
    environment makes it ready, which may take seconds; `prepare` does that ahead of time.
    """

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Takes no more runs. What several sandboxes share is kept for the others."""
        self._closed = True

    def prepare(self, deps: Sequence[str] | None = None) -> tuple[Package, ...]:
        """Makes an environment ready and says which packages are in it.

        Raises:
            InstallError: if the requirements cannot be met.
        """
        found = self._engine().prepare(together(self._defaults.deps, deps), is_main_thread())
        return tuple([Package(*package) for package in found])

    def run(
        self,
        code: str,
        *,
        deps: Sequence[str] | None = None,
        globals: Mapping[str, Any] | None = None,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
        files: Mapping[str, FileContent] | None = None,
        timeout: float | None = None,
        memory: int | None = None,
        fuel: int | None = None,
        on_output: OutputHandler | None = None,
    ) -> Result:
        """Runs code in a fresh interpreter. Whatever the code does is the result; exceptions are about arguments and this machine.

        Args:
            code: Python source. The value of its last expression is returned; top-level `await` works.
            deps: Requirements besides the sandbox's own.
            globals: Variables the code finds defined: names and JSON values.
            stdin: What `input()` and `sys.stdin` read.
            env: Environment variables besides the sandbox's own.
            files: Files in the working directory: text, bytes, or paths of files to copy.
            timeout: Seconds, instead of the sandbox's own limit.
            memory: Bytes, instead of the sandbox's own limit.
            fuel: Metering units, instead of the sandbox's own limit.
            on_output: Called with output while it is written. The code waits for it; an exception of it stops the code and is raised here.
        """
        asked = request(
            code,
            self._defaults,
            deps=deps,
            globals=globals,
            stdin=stdin,
            env=env,
            files=files,
            timeout=timeout,
            memory=memory,
            fuel=fuel,
            on_output=_teller(on_output),
            is_main_thread=is_main_thread(),
        )
        return result_of(self._engine().run(asked))

    def session(
        self,
        *,
        deps: Sequence[str] | None = None,
        stateful: bool = True,
        idle: float | None = None,
        lifetime: float | None = None,
    ) -> Session:
        """Begins a session: files stay between its runs, and if it is stateful so do variables, functions and imports.

        Args:
            deps: Requirements of its runs, besides the sandbox's own.
            stateful: Whether variables survive.
            idle: Seconds without use after which it is gone; at most an hour.
            lifetime: Seconds after which it is gone in any case; at most a day.
        """
        engine = self._engine()
        handle = engine.create_session(together(self._defaults.deps, deps), stateful, idle, lifetime)
        return Session(self, handle, stateful)

    def open_session(self, id: str) -> Session:
        """A session that was begun before, by this process or, in a `data_dir`, by an earlier one.

        Raises:
            SessionError: if it is gone.
        """
        return Session(self, id, self._engine().find_session(id))


class Session:
    """Runs that share files and, if it is stateful, everything else. A run that is stopped leaves the variables as they were before it."""

    def __init__(self, sandbox: Sandbox, id: str, stateful: bool) -> None:
        self._sandbox = sandbox
        self.id = id
        """Names the session; see `Sandbox.open_session`."""
        self.stateful = stateful

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the session; its files are gone."""
        self._sandbox._engine().close_session(self.id)

    def run(
        self,
        code: str,
        *,
        deps: Sequence[str] | None = None,
        globals: Mapping[str, Any] | None = None,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
        files: Mapping[str, FileContent] | None = None,
        timeout: float | None = None,
        memory: int | None = None,
        fuel: int | None = None,
        on_output: OutputHandler | None = None,
    ) -> Result:
        """Runs code in the session. Runs of one session come one after the other. Arguments are those of `Sandbox.run`; `deps` stand for all of the session's."""
        asked = request(
            code,
            self._sandbox._defaults,
            deps=deps,
            globals=globals,
            stdin=stdin,
            env=env,
            files=files,
            timeout=timeout,
            memory=memory,
            fuel=fuel,
            session=self.id,
            on_output=_teller(on_output),
            is_main_thread=is_main_thread(),
        )
        return result_of(self._sandbox._engine().run(asked), self.read)

    def fork(self) -> Session:
        """A session that goes on where this one stands: with its variables and a copy of its files."""
        return Session(self._sandbox, self._sandbox._engine().fork_session(self.id), self.stateful)

    def reset(self, *, files: bool = False) -> None:
        """Lets the session begin anew: without its variables, and with `files`, without its files."""
        self._sandbox._engine().reset_session(self.id, files)

    def files(self, path: str = ".") -> tuple[Artifact, ...]:
        """The files below a folder of the working directory."""
        found = self._sandbox._engine().list_files(self.id, path)
        return tuple([Artifact(path.rsplit("/", 1)[-1], path, size, mime, self.read) for path, size, mime in found])

    def read(self, path: str) -> bytes:
        """A file's bytes."""
        return self._sandbox._engine().read_file(self.id, path)

    def write(self, path: str, data: FileContent) -> None:
        """Writes a file, and makes the folders it lies in."""
        self._sandbox._engine().write_file(self.id, path, content(data))

    def delete(self, path: str) -> None:
        """Removes a file, or a folder with what is in it."""
        self._sandbox._engine().delete_file(self.id, path)


def _teller(handler: OutputHandler | None) -> Callable[[str, str], object] | None:
    if handler is None:
        return None
    tell = handler

    def told(stream: Stream, text: str) -> None:
        tell(Output(stream, text))

    return told  # type: ignore[return-value]
