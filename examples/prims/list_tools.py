"""Lists the tools of the server."""

import asyncio
import os

from mcp import Client

SERVER = os.environ.get("PRIMS_URL", "http://localhost:9000/mcp")


async def main():
    async with Client(SERVER, mode="legacy") as client:
        for tool in (await client.list_tools()).tools:
            print(f"{tool.name}: {tool.description}")


asyncio.run(main())
