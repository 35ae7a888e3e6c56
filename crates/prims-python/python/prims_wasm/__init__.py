"""Python for AI agents: real CPython compiled to WebAssembly, isolated and bounded, in this process.

    from prims_wasm import Sandbox

    with Sandbox() as sandbox:
        result = sandbox.run("print('hello'); 6 * 7")
        assert (result.stdout, result.value) == ("hello\\n", 42)

`Sandbox` and `AsyncSandbox` run code; `code_sandbox`, `prepare_env` and `run_mcp_server` are what mcp-run-python has under the same names. `prims-wasm` on the
command line, or `python -m prims_wasm`, is the whole program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _native

if TYPE_CHECKING:
    from ._async import AsyncSandbox, AsyncSession
    from ._compat import (
        CodeSandbox,
        Env,
        RunError,
        RunSuccess,
        async_prepare_deno_env,
        async_prepare_env,
        code_sandbox,
        prepare_deno_env,
        prepare_env,
        run_mcp_server,
    )
    from ._errors import CodeError, FileError, InstallError, InternalError, InvalidArgument, PrimsError, SessionError
    from ._results import Artifact, ErrorInfo, JsonValue, Output, Package, Result, Rich, Status, Stream, Usage
    from ._sandbox import Sandbox, Session

__version__: str = _native.__version__
PYTHON_VERSION: str = _native.PYTHON
"""The version of the Python inside the sandbox."""

__all__ = [
    "PYTHON_VERSION",
    "Artifact",
    "AsyncSandbox",
    "AsyncSession",
    "CodeError",
    "CodeSandbox",
    "Env",
    "ErrorInfo",
    "FileError",
    "InstallError",
    "InternalError",
    "InvalidArgument",
    "JsonValue",
    "Output",
    "Package",
    "PrimsError",
    "Result",
    "Rich",
    "RunError",
    "RunSuccess",
    "Sandbox",
    "Session",
    "SessionError",
    "Status",
    "Stream",
    "Usage",
    "__version__",
    "async_prepare_deno_env",
    "async_prepare_env",
    "code_sandbox",
    "prepare_deno_env",
    "prepare_env",
    "run_mcp_server",
]

# Imported when they are asked for, so that the command starts quickly.
_MODULES = ("_sandbox", "_async", "_compat", "_results", "_errors")


def __getattr__(name: str) -> object:
    if name in __all__:
        from importlib import import_module

        for module in _MODULES:
            found = import_module(f"{__name__}.{module}")
            if name in found.__all__:
                return getattr(found, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
