"""Runs code and shows what it printed."""

import asyncio
import json
import os

from mcp import Client

SERVER = os.environ.get("PRIMS_URL", "http://localhost:9000/mcp")


async def main():
    async with Client(SERVER, mode="legacy") as client:
        result = await client.call_tool("run_code", {"code": "print('The sum is', sum(range(101)))"})
        data = json.loads(result.content[0].text)
        print(data["stdout"], end="")


asyncio.run(main())
