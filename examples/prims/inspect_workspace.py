"""Looks at what code left in the session's workspace."""

import asyncio
import json
import os

from mcp import Client

SERVER = os.environ.get("PRIMS_URL", "http://localhost:9000/mcp")


async def main():
    async with Client(SERVER, mode="legacy") as client:
        await client.call_tool("run_code", {"code": "open('output/hello.txt', 'w').write('Hello inspection!\\n')"})
        for folder in [".", "output"]:
            listing = await client.call_tool("list_dir", {"dir_path": folder})
            for entry in json.loads(listing.content[0].text):
                print(f"{entry['type']:9} {entry['path']}")
        preview = await client.call_tool("preview_file", {"relative_path": "output/hello.txt"})
        print(json.loads(preview.content[0].text)["content"], end="")


asyncio.run(main())
