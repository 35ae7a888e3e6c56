"""A tour of the server with the official Python client: `tour.py stdio|http ERA TARGET`.

ERA is `legacy` for the handshake, or `auto` for the newest revision the server offers. TARGET is the program (stdio) or the address of `/mcp` (http).
Whatever is not as it should be raises.
"""

import asyncio
import base64
import sys
import time
import warnings

import jsonschema
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters

warnings.simplefilter("ignore")  # logging is deprecated in the newest revision, and works

TOOLS = [
    "run_code", "create_session", "close_session", "list_sessions", "fork_session", "reset_session",
    "list_dir", "preview_file", "read_file", "write_file", "delete_file", "mount_file", "persist_artifact",
]  # fmt: skip
PICTURE = """
import struct, zlib
class Picture:
    def _repr_png_(self):
        chunk = lambda kind, data: struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
        header = struct.pack('>IIBBBBB', 1, 1, 8, 2, 0, 0, 0)
        return (b'\\x89PNG\\r\\n\\x1a\\n' + chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(b'\\0\\xff\\0\\0')) + chunk(b'IEND', b''))
Picture()
"""


class Tour:
    def __init__(self, client, schemas):
        self.client, self.schemas = client, schemas

    async def call(self, name, fails=False, progress=None, **arguments):
        result = await self.client.call_tool(name, arguments, progress_callback=progress)
        assert result.is_error is fails, (name, arguments, result)
        # The client itself looks only at results that are not errors.
        jsonschema.validate(result.structured_content, self.schemas[name])
        assert result.content[0].type == "text" and result.content[0].text, result
        return result

    async def run(self, code, fails=False, progress=None, **arguments):
        result = await self.call("run_code", fails=fails, progress=progress, code=code, **arguments)
        return result.structured_content


async def tour(client, transport, logs):
    assert "run_code" in client.instructions and "numpy" in client.instructions, client.instructions
    tools = (await client.list_tools()).tools
    assert [tool.name for tool in tools] == TOOLS, tools
    for tool in tools:
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)
        jsonschema.Draft202012Validator.check_schema(tool.output_schema)
    t = Tour(client, {tool.name: tool.output_schema for tool in tools})

    # Running code, and every way it ends.
    reply = await t.run("print('out')\n1 + 1")
    assert (reply["status"], reply["stdout"], reply["return_value"], reply["exit_code"]) == ("success", "out\n", 2, 0), reply
    reply = await t.run("import numpy as np\nfloat(np.arange(4).mean())", requirements=["numpy"])
    assert reply["return_value"] == 1.5 and reply["environment"][0]["name"] == "numpy", reply
    reply = await t.run("print('before')\n1/0", fails=True)
    assert reply["status"] == "error" and reply["error"]["type"] == "ZeroDivisionError" and reply["stdout"] == "before\n", reply
    assert "line 2" in reply["error"]["traceback"], reply
    assert (await t.run("import sys; sys.exit(0)"))["status"] == "exit"
    reply = await t.run("import sys; sys.exit(3)", fails=True)
    assert (reply["status"], reply["exit_code"]) == ("exit", 3), reply
    assert (await t.run("while True: pass", fails=True, timeout_ms=200))["status"] == "timeout"
    assert (await t.run("while True: pass", fails=True, fuel=5_000_000))["status"] == "fuel_exhausted"
    assert (await t.run("import os; os.abort()", fails=True))["status"] == "crashed"
    assert (await t.run("1", fails=True, requirements=["numpi"]))["status"] == "install_error"
    assert (await t.run("1", fails=True, timeout_ms=10**9))["status"] == "refused"
    assert (await t.run(5, fails=True))["error"]["message"].count("`code`"), "the field is named"
    reply = await t.run("name, input(), open('data/in.bin', 'rb').read()", globals={"name": [1, None]}, stdin="line\n",
                        files=[{"path": "data/in.bin", "content_base64": base64.b64encode(b"\0\xff").decode()}])  # fmt: skip
    assert reply["return_repr"] == "([1, None], 'line', b'\\x00\\xff')", reply
    result = await t.call("run_code", code=PICTURE)
    assert [block.type for block in result.content] == ["text", "image"], result
    assert base64.b64decode(result.content[1].data).startswith(b"\x89PNG"), result

    # Artifacts: in the reply, as links, as resources.
    result = await t.call("run_code", code="open('output/a b.txt', 'w').write('text')")
    artifact = result.structured_content["artifacts"][0]
    assert (artifact["name"], artifact["size"], artifact["mime"]) == ("a b.txt", 4, "text/plain"), artifact
    assert result.content[1].type == "resource_link" and str(result.content[1].uri) == artifact["uri"], result
    assert (await client.read_resource(artifact["uri"])).contents[0].text == "text"

    # A session: files, a copy, nothing left.
    session = (await t.call("create_session", requirements=["numpy"])).structured_content["session_id"]
    await t.call("write_file", session_id=session, path="data/x.csv", content="a,b\n1,2\n")
    reply = await t.run("import numpy as np\nopen('output/sum', 'w').write(str(np.loadtxt('data/x.csv', delimiter=',', skiprows=1).sum()))",
                        session_id=session)  # fmt: skip
    assert reply["session_id"] == session and reply["artifacts"][0]["relative_path"] == "output/sum", reply
    listing = (await t.call("list_dir", session_id=session)).structured_content["result"]
    assert [(entry["name"], entry["type"]) for entry in listing] == [("data", "directory"), ("mounts", "directory"), ("output", "directory")]
    assert (await t.call("preview_file", session_id=session, relative_path="data/x.csv")).structured_content["mime"] == "text/csv"
    piece = (await t.call("read_file", session_id=session, path="data/x.csv", offset=4, limit=3)).structured_content
    assert (piece["content"], piece["size"], piece["end"]) == ("1,2", 8, False), piece
    copy = (await t.call("fork_session", session_id=session)).structured_content["session_id"]
    await t.call("delete_file", session_id=session, path="data")
    assert (await t.run("open('data/x.csv').read()", session_id=copy))["return_value"] == "a,b\n1,2\n"
    listed = [each["session_id"] for each in (await t.call("list_sessions")).structured_content["sessions"]]
    if transport == "stdio":
        assert listed == [session, copy], listed
        uris = [str(resource.uri) for resource in (await client.list_resources()).resources]
        assert sorted(uris) == sorted(f"prims://session/{each}/output/sum" for each in (session, copy)), uris
    await t.call("reset_session", session_id=copy)
    assert (await t.run("import os; os.listdir('data')", fails=True, session_id=copy))["error"]["type"] == "FileNotFoundError"
    for each in (session, copy):
        await t.call("close_session", session_id=each)
    gone = await t.call("list_dir", fails=True, session_id=session)
    assert gone.structured_content["error"]["type"] == "unknown_session", gone
    try:
        await client.read_resource("prims://session/../etc/passwd")
        raise AssertionError("a resource that cannot be")
    except MCPError as error:
        assert error.code in (-32602, -32002), error
    try:
        await client.call_tool("no_such_tool", {})
        raise AssertionError("a tool that does not exist")
    except MCPError as error:
        assert error.code == -32602, error

    # Live: lines as they are written, progress, cancelling.
    logs.clear()
    seen = []
    await t.run("import sys, time\nprint('one')\ntime.sleep(1.2)\nprint('two', file=sys.stderr)", progress=lambda *of: collect(seen, of))
    assert logs == [("info", "one"), ("warning", "two")], logs
    values = [progress for progress, _, _ in seen]
    assert len(values) >= 2 and values == sorted(set(values)), seen
    began = time.monotonic()
    try:
        await asyncio.wait_for(t.run("while True: pass"), 0.5)
        raise AssertionError("it ended")
    except TimeoutError:
        pass
    assert (await t.run("2"))["return_value"] == 2
    assert time.monotonic() - began < 20, "the slot of a cancelled run was not given back"


async def collect(into, what):
    into.append(what)


async def main(transport, era, target):
    logs = []

    async def log(message):
        if message.logger == "python":
            logs.append((message.level, message.data))

    server = StdioServerParameters(command=target, args=["stdio", "--concurrency", "1", "--offline"]) if transport == "stdio" else target
    level = None if era == "legacy" else "info"
    async with Client(server, mode=era, logging_callback=log, log_level=level, read_timeout_seconds=120) as client:
        if era == "legacy":
            await client.set_logging_level("info")
        else:
            assert client.protocol_version == "2026-07-28", client.protocol_version
        await tour(client, transport, logs)
    print("done")


asyncio.run(main(*sys.argv[1:]))
