"""Sends a file that code made to a presigned address of an object store: `persist_artifact.py URL`."""

import asyncio
import json
import os
import sys

from mcp import Client

SERVER = os.environ.get("PRIMS_URL", "http://localhost:9000/mcp")


async def main(url):
    async with Client(SERVER, mode="legacy") as client:
        await client.call_tool("run_code", {"code": "open('output/report.txt', 'w').write('quarterly figures\\n')"})
        result = await client.call_tool("persist_artifact", {"relative_path": "report.txt", "presigned_url": url})
        if result.is_error:
            print(result.content[0].text)
        else:
            data = json.loads(result.content[0].text)
            print(f"{data['uploaded_bytes']} bytes, status {data['status']}")


asyncio.run(main(sys.argv[1]))
