"""The public types as a program uses them. It is checked, not run."""

from collections.abc import AsyncIterator

from typing_extensions import assert_type

from prims_wasm import (
    Artifact,
    AsyncSandbox,
    CodeError,
    Env,
    ErrorInfo,
    JsonValue,
    Output,
    Package,
    Result,
    RunError,
    RunSuccess,
    Sandbox,
    Session,
    async_prepare_env,
    code_sandbox,
    prepare_deno_env,
)


def sync() -> None:
    with Sandbox(["numpy"], timeout=5, memory=1 << 28) as sandbox:
        assert_type(sandbox.prepare(), tuple[Package, ...])
        result = sandbox.run("1", globals={"x": [1]}, files={"a": b"", "b": ""}, on_output=lambda output: print(output.text))
        assert_type(result, Result)
        assert_type(result.value, JsonValue)
        assert_type(result.error, ErrorInfo | None)
        assert_type(result.artifacts, tuple[Artifact, ...])
        if result.status == "timeout":
            return
        with sandbox.session(stateful=True) as session:
            assert_type(session.fork(), Session)
        try:
            result.check()
        except CodeError as error:
            assert_type(error.result, Result)


async def asynchronous() -> None:
    async with AsyncSandbox() as sandbox, sandbox.session() as session:
        assert_type(await sandbox.run("1"), Result)
        assert_type(sandbox.stream("1"), AsyncIterator[Output | Result])
        assert_type(session.stream("1", deps=[], globals={}, stdin="", env={}, files={}, timeout=1, memory=1, fuel=1), AsyncIterator[Output | Result])
        assert_type(await session.read("a"), bytes)
    async with code_sandbox(dependencies=["numpy"]) as helper:
        said = await helper.eval("1", {"x": 1})
        assert_type(said, RunSuccess | RunError)
        if said["status"] == "success":
            assert_type(said["return_value"], JsonValue)
    with prepare_deno_env("stdio") as env:
        assert_type(env.args, list[str])
    async with async_prepare_env("stdio", http_port=None, dependencies=["numpy"], return_mode="json") as env:
        assert_type(env, Env)
