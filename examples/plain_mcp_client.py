"""The official MCP client, talking to the server that `prims-wasm stdio` starts.

    pip install prims-wasm mcp
    python examples/plain_mcp_client.py
"""

import asyncio
import sys

from mcp import Client
from mcp.client.stdio import StdioServerParameters

# `command="prims-wasm", args=["stdio"]` does the same where the command is on the path.
server = StdioServerParameters(command=sys.executable, args=["-m", "prims_wasm", "stdio"])


async def main() -> None:
    async with Client(server) as client:
        session = await client.call_tool("create_session", {"stateful": True})
        handle = session.structured_content["session_id"]
        for code in ["import statistics\nnumbers = [1, 4, 9]", "numbers.append(16)", "statistics.mean(numbers)"]:
            result = await client.call_tool("run_code", {"code": code, "session_id": handle})
        print("mean:", result.structured_content["return_value"])

        result = await client.call_tool("run_code", {"code": "while True: pass", "timeout_ms": 200})
        print("endless loop:", result.structured_content["status"])


asyncio.run(main())
