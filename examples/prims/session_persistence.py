"""Files stay for as long as the session does: `session_persistence.py URL`."""

import asyncio
import json
import os
import sys

from mcp import Client

SERVER = os.environ.get("PRIMS_URL", "http://localhost:9000/mcp")
CODE = "print(len(open('mounts/countries.csv').readlines()) - 1, 'rows')"


async def main(url):
    async with Client(SERVER, mode="legacy") as client:
        files = [{"url": url, "mountPath": "countries.csv"}]
        for name, arguments in [("First", {"code": CODE, "files": files}), ("Second", {"code": CODE})]:
            result = await client.call_tool("run_code", arguments)
            print(f"{name} run: {json.loads(result.content[0].text)['stdout']}", end="")


asyncio.run(main(sys.argv[1]))
