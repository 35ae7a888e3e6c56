"""Exceptions: for what the host cannot do, and for arguments that mean nothing.

What the code in the sandbox did is never one of these, unless [`Result.check`][prims_wasm.Result.check] is asked to make it one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._results import Result

__all__ = ["CodeError", "FileError", "InstallError", "InternalError", "InvalidArgument", "PrimsError", "SessionError"]


class PrimsError(Exception):
    """What all exceptions of this package are."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        """What was found, and what was expected."""
        self.hint = hint
        """What to do about it, where there is something to do."""

    def __str__(self) -> str:
        return f"{self.message} (hint: {self.hint})" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message, self.hint)


class InvalidArgument(PrimsError, ValueError):
    """An argument that cannot be, such as a limit above its ceiling."""


class InstallError(PrimsError, RuntimeError):
    """Requirements that cannot be met. Of a run this is a result, with the status `install_error`."""


class SessionError(PrimsError):
    """A session that is gone, busy, or bound to another environment."""


class FileError(PrimsError, OSError):
    """A file of a workspace that cannot be read or written."""


class InternalError(PrimsError):
    """A fault of this package or of the machine: a full disk, a damaged installation."""


class CodeError(PrimsError):
    """The code did not run to its end: what `Result.check` raises."""

    def __init__(self, result: Result) -> None:
        error = result.error
        said = f"{error.type}: {error.message}" if error else result.status
        super().__init__(said, error.hint if error else None)
        self.result = result
        """Everything about the run."""

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.result,)
