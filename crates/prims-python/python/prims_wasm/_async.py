"""Running code from asyncio."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from types import TracebackType
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from . import _native
from ._engine import FileContent, Request, content, is_made, request, together
from ._results import Artifact, Output, Package, Result, Stream, result_of
from ._sandbox import Base, OutputHandler

__all__ = ["AsyncSandbox", "AsyncSession"]

T = TypeVar("T")

_CONCURRENCY = 32
"""Threads for all that needs Python beside the code; more wait. The native half has as many for other runs."""
_PENDING = 1 << 20
"""Characters of output that wait to be taken; more are dropped and counted."""
_PATIENCE = 0.25
"""Seconds that a cancelled task waits for its run, which it has stopped. What cannot be stopped (compiling, fetching) goes on alone."""

_executor: ThreadPoolExecutor | None = None
_lock = threading.Lock()


def _threads() -> ThreadPoolExecutor:
    global _executor
    if _executor is None:
        with _lock:
            if _executor is None:
                _executor = ThreadPoolExecutor(_CONCURRENCY, "prims-wasm")
    return _executor


def _after_fork() -> None:
    # The threads are not in this process, nor is whoever holds the lock.
    global _executor, _lock
    _executor, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


async def in_thread(work: Callable[[], T], stop: Callable[[], object] | None = None) -> T:
    """Does blocking work in a thread; if the task is cancelled meanwhile, `stop` stops the work."""
    return await _end_of(asyncio.get_running_loop().run_in_executor(_threads(), work), stop)


async def _end_of(done: asyncio.Future[T], stop: Callable[[], object] | None) -> T:
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        if stop is not None:
            stop()
        # Whoever is cancelled does not hear how the work ended.
        done.add_done_callback(lambda future: future.cancelled() or future.exception())
        await asyncio.wait((done,), timeout=_PATIENCE)
        raise


class _Relay:
    """Brings output from the thread that runs the code to the loop. It holds so much; what comes faster than it is taken is dropped and counted."""

    def __init__(self, deliver: Callable[[Output], object]) -> None:
        self._loop = asyncio.get_running_loop()
        self._deliver = deliver
        self._lock = threading.Lock()
        self._pending = 0
        self._omitted: dict[Stream, int] = {"stdout": 0, "stderr": 0}

    def __call__(self, stream: Stream, text: str) -> None:
        with self._lock:
            if self._pending + len(text) > _PENDING:
                self._omitted[stream] += len(text)
                return
            self._pending += len(text)
            omitted, self._omitted[stream] = self._omitted[stream], 0
        self._loop.call_soon_threadsafe(self._deliver, Output(stream, text, omitted))

    def taken(self, output: Output) -> None:
        """Makes room again."""
        with self._lock:
            self._pending -= len(output.text)

    def rest(self) -> list[Output]:
        """What was dropped at the end."""
        return [Output(stream, "", omitted) for stream, omitted in self._omitted.items() if omitted]


class _Ends:
    """Where a loop hears of runs that have ended. It does not know its loop, so that it goes with it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.native = _native.Ended()
        loop.add_reader(self.native.fileno(), self._take)

    def _take(self) -> None:
        for future, reply, error in self.native.take():
            if future.done():
                continue
            if error is None:
                future.set_result(reply or {})
            else:
                future.set_exception(error)


_ends: WeakKeyDictionary[asyncio.AbstractEventLoop, _Ends] = WeakKeyDictionary()


async def run(sandbox: AsyncSandbox, asked: Request) -> dict[str, Any]:
    """Runs code in a thread; the native half's reply."""
    engine = await sandbox._ready()
    if asked.given or asked.on_output is not None or sandbox._options.on_progress is not None:
        return await in_thread(lambda: engine.run(asked), asked.cancel.cancel)
    # Nothing in it needs Python, so no thread of Python's, for which the loop and the run would wait in turn.
    loop = asyncio.get_running_loop()
    ends = _ends.get(loop)
    if ends is None:
        ends = _ends[loop] = _Ends(loop)
    done: asyncio.Future[dict[str, Any]] = loop.create_future()
    engine.start(asked, ends.native, done)
    return await _end_of(done, asked.cancel.cancel)


async def tell(sandbox: AsyncSandbox, asked: Request, handler: OutputHandler | None) -> dict[str, Any]:
    """The same; the handler is called, in the loop, with output while it is written."""
    if handler is None:
        return await run(sandbox, asked)
    raised: list[BaseException] = []

    def deliver(output: Output) -> None:
        relay.taken(output)
        if raised:
            return
        try:
            handler(output)
        except BaseException as error:  # raised below, in the task
            raised.append(error)
            asked.cancel.cancel()

    relay = _Relay(deliver)
    asked.on_output = relay  # type: ignore[assignment]
    reply = await run(sandbox, asked)
    for output in relay.rest():
        deliver(output)
    if raised:
        raise raised[0]
    return reply


async def _stream(
    sandbox: AsyncSandbox, asked: Request, read: Callable[[str], bytes] | None
) -> AsyncGenerator[Output | Result, None]:
    waiting: asyncio.Queue[Output | None] = asyncio.Queue()
    relay = _Relay(waiting.put_nowait)
    asked.on_output = relay  # type: ignore[assignment]
    task = asyncio.ensure_future(run(sandbox, asked))
    task.add_done_callback(lambda _: waiting.put_nowait(None))
    try:
        while (output := await waiting.get()) is not None:
            relay.taken(output)
            yield output
        for output in relay.rest():
            yield output
        yield result_of(await task, read)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))


class AsyncSandbox(Base):
    """`Sandbox` for asyncio: the same arguments, methods that are awaited. A task that is cancelled stops its code."""

    async def __aenter__(self) -> AsyncSandbox:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Takes no more runs."""
        self._closed = True

    async def _ready(self) -> _native.Engine:
        # Compiling may take long the first time, so not in the loop.
        if is_made(self._options):
            return self._engine()
        return await in_thread(self._engine)

    async def prepare(self, deps: Sequence[str] | None = None) -> tuple[Package, ...]:
        """Makes an environment ready and says which packages are in it.

        Raises:
            InstallError: if the requirements cannot be met.
        """
        engine, wanted = await self._ready(), together(self._defaults.deps, deps)
        found = await in_thread(lambda: engine.prepare(wanted, False))
        return tuple([Package(*package) for package in found])

    async def run(
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
        """Runs code in a fresh interpreter; see `Sandbox.run`. `on_output` is called in the loop, and the code does not wait for it."""
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
        )
        return result_of(await tell(self, asked, on_output))

    def stream(
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
    ) -> AsyncIterator[Output | Result]:
        """Runs code and gives its output while it is written; the last item is the result. Leaving the iteration stops the code."""
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
        )
        return _stream(self, asked, None)

    def session(
        self,
        *,
        deps: Sequence[str] | None = None,
        stateful: bool = True,
        idle: float | None = None,
        lifetime: float | None = None,
    ) -> AsyncSession:
        """A session that begins with `async with`, or when it is used first; see `Sandbox.session`."""
        wanted = together(self._defaults.deps, deps)
        return AsyncSession(self, "", stateful, lambda engine: engine.create_session(wanted, stateful, idle, lifetime))

    async def open_session(self, id: str) -> AsyncSession:
        """A session that was begun before; see `Sandbox.open_session`."""
        engine = await self._ready()
        return AsyncSession(self, id, await in_thread(lambda: engine.find_session(id)))


class AsyncSession:
    """`Session` for asyncio."""

    def __init__(
        self, sandbox: AsyncSandbox, id: str, stateful: bool, begin: Callable[[_native.Engine], str] | None = None
    ) -> None:
        self._sandbox = sandbox
        self._begin = begin
        self._lock = threading.Lock()
        self.id = id
        """Names the session, once it has begun."""
        self.stateful = stateful

    async def __aenter__(self) -> AsyncSession:
        await self._begun()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the session; its files are gone."""
        if self.id:
            await self._do(lambda engine: engine.close_session(self.id))

    async def _begun(self) -> _native.Engine:
        engine = await self._sandbox._ready()
        if not self.id:
            await in_thread(lambda: self._begin_once(engine))
        return engine

    def _begin_once(self, engine: _native.Engine) -> None:
        # In a thread, so that a task that is cancelled meanwhile does not leave a session behind that nobody knows.
        with self._lock:
            if self._begin is not None:
                self.id = self._begin(engine)
                self._begin = None

    async def _do(self, work: Callable[[_native.Engine], T]) -> T:
        engine = await self._begun()
        return await in_thread(lambda: work(engine))

    def _read(self, path: str) -> bytes:
        return self._sandbox._engine().read_file(self.id, path)

    async def run(
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
        """Runs code in the session; see `Session.run`."""
        await self._begun()
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
        )
        return result_of(await tell(self._sandbox, asked, on_output), self._read)

    async def stream(
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
    ) -> AsyncIterator[Output | Result]:
        """Runs code in the session and gives its output while it is written; the last item is the result. Leaving the iteration stops the code."""
        await self._begun()
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
        )
        async with aclosing(_stream(self._sandbox, asked, self._read)) as items:
            async for item in items:
                yield item

    async def fork(self) -> AsyncSession:
        """A session that goes on where this one stands: with its variables and a copy of its files."""
        handle = await self._do(lambda engine: engine.fork_session(self.id))
        return AsyncSession(self._sandbox, handle, self.stateful)

    async def reset(self, *, files: bool = False) -> None:
        """Lets the session begin anew: without its variables, and with `files`, without its files."""
        await self._do(lambda engine: engine.reset_session(self.id, files))

    async def files(self, path: str = ".") -> tuple[Artifact, ...]:
        """The files below a folder of the working directory."""
        found = await self._do(lambda engine: engine.list_files(self.id, path))
        return tuple([Artifact(path.rsplit("/", 1)[-1], path, size, mime, self._read) for path, size, mime in found])

    async def read(self, path: str) -> bytes:
        """A file's bytes."""
        return await self._do(lambda engine: self._read(path))

    async def write(self, path: str, data: FileContent) -> None:
        """Writes a file, and makes the folders it lies in."""
        await self._do(lambda engine: engine.write_file(self.id, path, content(data)))

    async def delete(self, path: str) -> None:
        """Removes a file, or a folder with what is in it."""
        await self._do(lambda engine: engine.delete_file(self.id, path))
