"""What mcp-run-python has, under the same names: replacing the import is the migration.

Where a name speaks of Deno, the one without it is ours and the other one an alias. Differences: every call gets an interpreter of its own, of which only the files
stay for the next call; time, memory and output are bounded; and there is no network, whatever `allow_networking` says.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypedDict

from ._async import AsyncSandbox, AsyncSession, in_thread, tell
from ._engine import request
from ._results import JsonValue, Result, result_of
from ._sandbox import Sandbox

__all__ = [
    "CodeSandbox",
    "Env",
    "RunError",
    "RunSuccess",
    "async_prepare_deno_env",
    "async_prepare_env",
    "code_sandbox",
    "prepare_deno_env",
    "prepare_env",
    "run_mcp_server",
]

LoggingLevel = Literal["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]
LogHandler = Callable[[LoggingLevel, str], None]
Mode = Literal["stdio", "streamable_http", "streamable_http_stateless", "example"]

P = ParamSpec("P")

_logger = logging.getLogger(__name__)


class RunSuccess(TypedDict):
    """The code came to its end."""

    status: Literal["success"]
    output: list[str]
    """Lines of stdout and stderr, in order."""
    return_value: JsonValue


class RunError(TypedDict):
    """The code did not come to its end, or its packages could not be installed."""

    status: Literal["install-error", "run-error"]
    output: list[str]
    error: str
    """The traceback, or what stopped the code."""


class _Lines:
    """Puts pieces of two streams together to lines, in the order in which they are complete."""

    def __init__(self, take: Callable[[str, str], object]) -> None:
        self._take = take
        self._begun = {"stdout": "", "stderr": ""}

    def add(self, stream: str, text: str) -> None:
        *lines, self._begun[stream] = (self._begun[stream] + text).split("\n")
        for line in lines:
            self._take(stream, line)

    def end(self) -> None:
        for stream, rest in self._begun.items():
            if rest:
                self._take(stream, rest)


@dataclass
class CodeSandbox:
    """Runs code; made by `code_sandbox`."""

    _session: AsyncSession
    _log: LogHandler | None

    async def eval(self, code: str, globals: dict[str, Any] | None = None) -> RunSuccess | RunError:
        """Runs code.

        Args:
            code: Python code.
            globals: Variables the code finds defined.
        """
        asked = request(
            code,
            self._session._sandbox._defaults,
            globals=globals,
            filename="main.py",
            session=self._session.id,
            lines=True,
        )
        logged = _Lines(self._say)
        handler = None if self._log is None else lambda output: logged.add(output.stream, output.text)
        reply = await tell(self._session._sandbox, asked, handler)
        logged.end()
        result = result_of(reply, self._session._read)
        output: list[str] = reply.get("lines", [])
        if result.status == "success":
            value = result.value
            if value is None and result.repr not in (None, "None"):
                value = result.repr
            return {"status": "success", "output": output, "return_value": value}
        kind: Literal["install-error", "run-error"] = "install-error" if result.status == "install_error" else "run-error"
        return {"status": kind, "output": output, "error": _error(result)}

    def _say(self, stream: str, line: str) -> None:
        if self._log is not None:
            self._log("warning" if stream == "stderr" else "info", line)


def _error(result: Result) -> str:
    error = result.error
    if error is None or result.status == "exit":
        return f"SystemExit: {result.exit_code}\n"
    if error.traceback is not None:
        return error.traceback.replace('File "/workspace/main.py"', 'File "main.py"')
    return f"{error.message}; {error.hint}" if error.hint else error.message


@asynccontextmanager
async def code_sandbox(
    *,
    dependencies: list[str] | None = None,
    log_handler: LogHandler | None = None,
    allow_networking: bool = True,
) -> AsyncIterator[CodeSandbox]:
    """A sandbox with some packages.

    Args:
        dependencies: Requirements.
        log_handler: Called with a level and a line: `info` for stdout, `warning` for stderr, `debug` for packages.
        allow_networking: Taken and not used: there is no network in the sandbox.

    Raises:
        InstallError: if the dependencies cannot be installed. It is a `RuntimeError`, too.
    """
    async with AsyncSandbox(dependencies or ()) as sandbox:
        packages = await sandbox.prepare()
        if log_handler is not None:
            for package in packages:
                log_handler("debug", f"Loaded {package.name} {package.version}")
        async with sandbox.session(stateful=False) as session:
            yield CodeSandbox(session, log_handler)


@dataclass
class Env:
    """How to start the server: `MCPServerStdio(env.command, args=env.args, cwd=env.cwd)`."""

    cwd: Path
    args: list[str]
    command: str = sys.executable


def _arguments(
    mode: Mode,
    http_port: int | None,
    dependencies: Sequence[str] | None,
    return_mode: Literal["json", "xml"],
    allow_networking: bool,
) -> list[str]:
    arguments = ["-m", "prims_wasm", "--compat", "mcp-run-python", mode.replace("_", "-"), "--return-mode", return_mode]
    if dependencies:
        arguments += ["--deps", ",".join(dependencies)]
    if http_port is not None:
        if mode not in ("streamable_http", "streamable_http_stateless"):
            raise ValueError("Port is only supported for `streamable_http` modes")
        arguments += ["--port", str(http_port)]
    if not allow_networking:
        arguments.append("--disable-networking")
    return arguments


@contextmanager
def prepare_env(
    mode: Mode,
    *,
    http_port: int | None = None,
    dependencies: list[str] | None = None,
    return_mode: Literal["json", "xml"] = "xml",
    deps_log_handler: LogHandler | None = None,
    allow_networking: bool = True,
) -> Iterator[Env]:
    """Installs dependencies and says how to start the server that has mcp-run-python's tool, `run_python_code`.

    Raises:
        InstallError: if the dependencies cannot be installed. It is a `RuntimeError`, too.
        ValueError: if a port is given to a mode that has none.
    """
    arguments = _arguments(mode, http_port, dependencies, return_mode, allow_networking)
    if deps_log_handler is not None:
        deps_log_handler("info", f"Installing dependencies {dependencies}...")
    with Sandbox(dependencies or ()) as sandbox:
        for package in sandbox.prepare():
            if deps_log_handler is not None:
                deps_log_handler("debug", f"Loaded {package.name} {package.version}")
    yield Env(Path.cwd(), arguments)


def _awaited(prepare: Callable[P, AbstractContextManager[Env]]) -> Callable[P, AbstractAsyncContextManager[Env]]:
    @asynccontextmanager
    async def awaited(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[Env]:
        prepared = prepare(*args, **kwargs)
        env = await in_thread(prepared.__enter__)
        try:
            yield env
        finally:
            prepared.__exit__(None, None, None)

    awaited.__doc__ = f"`{prepare.__name__}` for asyncio."
    return awaited


async_prepare_env = _awaited(prepare_env)
prepare_deno_env = prepare_env
async_prepare_deno_env = async_prepare_env


def run_mcp_server(
    mode: Mode,
    *,
    http_port: int | None = None,
    dependencies: list[str] | None = None,
    return_mode: Literal["json", "xml"] = "xml",
    deps_log_handler: LogHandler | None = None,
    allow_networking: bool = True,
    verbose: bool = False,
) -> int:
    """Installs dependencies, then runs the server until it ends; its exit status.

    Args:
        mode: What the server speaks.
        http_port: Where it listens in the HTTP modes.
        dependencies: Requirements of every call.
        return_mode: How the tool answers.
        deps_log_handler: Called with a level and a line while dependencies are installed.
        allow_networking: Taken and not used: there is no network in the sandbox.
        verbose: Let the server log more.
    """
    with prepare_env(
        mode,
        http_port=http_port,
        dependencies=dependencies,
        return_mode=return_mode,
        deps_log_handler=deps_log_handler,
        allow_networking=allow_networking,
    ) as env:
        _logger.info("Running prims-wasm via %s...", mode)
        arguments = [*env.args, "--verbose"] if verbose else env.args
        try:
            return subprocess.run((env.command, *arguments), cwd=env.cwd).returncode
        except KeyboardInterrupt:
            _logger.warning("Server stopped.")
            return 0
