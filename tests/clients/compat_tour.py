"""The official Python client against `--compat mcp-run-python --return-mode json`: `compat_tour.py MODE TARGET`.

TARGET is the program (stdio) or the address of `/mcp`. Whatever is not as it should be raises.
"""

import asyncio
import json
import sys
import warnings

from mcp import Client
from mcp.client.stdio import StdioServerParameters

warnings.simplefilter("ignore")  # logging is deprecated in the newest revision, and works


async def main(mode, target):
    logs = []

    async def log(message):
        logs.append((message.level, message.data))

    arguments = ["--compat", "mcp-run-python", "--return-mode", "json", mode]
    server = StdioServerParameters(command=target, args=arguments) if mode == "stdio" else target
    async with Client(server, mode="legacy", logging_callback=log, read_timeout_seconds=120) as client:
        assert client.server_info.name == "MCP Run Python", client.server_info

        async def run(code, **variables):
            arguments = {"python_code": code, "global_variables": variables} if variables else {"python_code": code}
            result = await client.call_tool("run_python_code", arguments)
            assert len(result.content) == 1 and not result.is_error, result
            return json.loads(result.content[0].text)

        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == ["run_python_code"], tools
        assert await run("print(123)") == {"status": "success", "output": ["123"], "return_value": None}
        assert await run("a + 1", a=1) == {"status": "success", "output": [], "return_value": 2}
        error = await run("print(unknown)")
        assert error["status"] == "run-error" and error["error"].endswith("NameError: name 'unknown' is not defined\n"), error
        assert logs == [], logs
        await client.set_logging_level("debug")
        await run("import sys\nprint('hello', 123)\nprint('careful', file=sys.stderr)")
        lines = [line for line in logs if line[0] != "debug"]
        expected = [] if mode == "streamable-http-stateless" else [("info", "hello 123"), ("warning", "careful")]
        assert lines == expected, logs
        await run("open('kept', 'w').write('x')")
        kept = (await run("import os\nos.path.exists('kept')"))["return_value"]
        assert kept is (mode != "streamable-http-stateless"), kept
    print("done")


asyncio.run(main(*sys.argv[1:]))
