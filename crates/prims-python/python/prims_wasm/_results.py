"""What runs say, as typed values."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from ._errors import CodeError

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["Artifact", "ErrorInfo", "JsonValue", "Output", "Package", "Result", "Rich", "Status", "Stream", "Usage"]

Status = Literal[
    "success",
    "error",
    "exit",
    "timeout",
    "fuel_exhausted",
    "memory_limit",
    "output_limit",
    "cancelled",
    "crashed",
    "install_error",
]
"""How a run ended: `success`; `error`, an exception was not caught; `exit`, `sys.exit`; then what stopped it; `install_error`, its requirements cannot be met."""

Stream = Literal["stdout", "stderr"]

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]
"""What JSON can say."""


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """Why a run did not come to its end."""

    type: str
    """The exception's class, or what stopped the run: `timeout`, `memory_limit`, …"""
    message: str
    traceback: str | None = None
    """As CPython prints it."""
    line: int | None = None
    """The line of the given code that it comes from."""
    hint: str | None = None
    """What to do about it."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run used, as the host measured it."""

    wall: float
    """Seconds from the call to the end of the code."""
    start: float
    """Of them: until the first instruction of the sandbox."""
    prepare: float
    """Seconds before that: finding or making the environment."""
    fuel: int
    """Metering units."""
    peak_memory: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package that the code could import."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Rich:
    """A picture or a document that a value renders to."""

    mime: str
    data: str
    """Text; base64 where the media type is binary."""

    def content(self) -> bytes:
        """The rendering's bytes."""
        is_text = self.mime.startswith("text/") or self.mime in ("image/svg+xml", "application/json")
        return self.data.encode() if is_text else base64.b64decode(self.data)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that the code left below `output/`."""

    name: str
    path: str
    """Relative to the working directory: `output/plot.png`."""
    size: int
    mime: str
    _read: Callable[[str], bytes] = field(repr=False, compare=False)

    def read(self) -> bytes:
        """The file's bytes. Files of a run without a session are there for as long as its result or one of its artifacts is."""
        return self._read(self.path)

    def read_text(self, encoding: str = "utf-8") -> str:
        """The file's text."""
        return self.read().decode(encoding)

    def save(self, path: str | PathLike[str]) -> None:
        """Writes a copy to a file of the host."""
        with open(path, "wb") as file:
            file.write(self.read())


@dataclass(frozen=True, slots=True)
class Output:
    """A piece of output, given while the code runs."""

    stream: Stream
    text: str
    omitted: int = 0
    """Characters before it that were dropped, because they came faster than they were taken."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a run did."""

    status: Status
    stdout: str = ""
    stderr: str = ""
    value: JsonValue = None
    """The value of the last expression; `None` if it has no form in JSON or there is none, which `repr` tells apart."""
    repr: str | None = None
    """`repr` of the value of the last expression."""
    rich: Rich | None = None
    error: ErrorInfo | None = None
    """Why the run did not come to its end; of `sys.exit(0)`, `None`."""
    exit_code: int | None = None
    """The status a process would have; `None` if nothing was run."""
    artifacts: tuple[Artifact, ...] = ()
    environment: tuple[Package, ...] = ()
    usage: Usage | None = None
    truncated: tuple[Stream, ...] = ()
    """Streams whose middle was left out."""
    notes: tuple[str, ...] = ()
    """What is to be said about packages and sessions."""

    @property
    def ok(self) -> bool:
        """Whether the code came to its end, or ended with `sys.exit(0)`."""
        return self.status == "success" or (self.status == "exit" and self.exit_code == 0)

    def check(self) -> Result:
        """The result, if it is `ok`.

        Raises:
            CodeError: if it is not.
        """
        if not self.ok:
            raise CodeError(self)
        return self


_STOPPED = {
    "timeout": ("the time limit passed", "do less in a run, or ask for more with `timeout`"),
    "fuel_exhausted": ("the instruction budget was used up", "do less in a run, or ask for more with `fuel`"),
    "memory_limit": ("memory ran out", "work on smaller pieces, or ask for more with `memory`"),
    "output_limit": ("more was written than the output limit allows", "write large results to a file in `output/`"),
    "cancelled": ("the run was cancelled", "what was written until then is here"),
}


def result_of(reply: dict[str, Any], read: Callable[[str], bytes] | None = None) -> Result:
    """Makes a result of the native half's reply; `read` reads files of a session."""
    status = cast(Status, reply["status"])
    error = _error_of(status, reply)
    if "usage" not in reply:
        return Result(status, error=error)
    stdout_cut, stderr_cut = reply["truncated"]
    value, rich = reply.get("value"), reply.get("rich")
    return Result(
        status,
        reply["stdout"],
        reply["stderr"],
        json.loads(value) if value is not None else None,
        reply.get("repr"),
        Rich(*rich) if rich else None,
        error,
        reply["exit_code"],
        _artifacts_of(reply, read),
        tuple([Package(*package) for package in reply["packages"]]),
        Usage(*reply["usage"]),
        ("stdout",) * stdout_cut + ("stderr",) * stderr_cut,
        tuple(reply["notes"]),
    )


def _artifacts_of(reply: dict[str, Any], read: Callable[[str], bytes] | None) -> tuple[Artifact, ...]:
    listed = reply["artifacts"]
    if not listed:
        return ()
    reader = read or reply["folder"].read
    return tuple([Artifact(path.rsplit("/", 1)[-1], path, size, mime, reader) for path, size, mime in listed])


def _error_of(status: Status, reply: dict[str, Any]) -> ErrorInfo | None:
    if status == "success":
        return None
    if status == "error":
        kind, message, traceback, line = reply["error"]
        return ErrorInfo(kind, message, traceback, line)
    if status == "exit":
        code = reply["exit_code"]
        return ErrorInfo("SystemExit", f"the code ended with status {code}") if code else None
    if status == "install_error":
        message, hint = reply["not_installed"]
        return ErrorInfo(status, message, hint=hint)
    if status == "crashed":
        hint = "often endless recursion in native code, or `os.abort()`; nothing else is affected"
        return ErrorInfo(status, f"the interpreter crashed: {reply['crash']}", hint=hint)
    message, hint = _STOPPED[status]
    return ErrorInfo(status, message, hint=hint)


