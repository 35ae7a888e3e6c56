"""Runs code that makes a picture, and downloads it with the session's header."""

import asyncio
import json
import os
import pathlib
import urllib.parse
import urllib.request

from mcp import Client

SERVER = os.environ.get("PRIMS_URL", "http://localhost:9000/mcp")
CODE = """
points = ' '.join(f'{x},{100 - x * x}' for x in range(11))
with open('output/plot.svg', 'w') as file:
    file.write(f'<svg xmlns="http://www.w3.org/2000/svg"><polyline points="{points}"/></svg>')
print('Plot saved!')
"""


async def main():
    async with Client(SERVER, mode="legacy") as client:
        data = json.loads((await client.call_tool("run_code", {"code": CODE})).content[0].text)
        artifact = data["artifacts"][0]
        url = urllib.parse.urljoin(SERVER, f"/artifacts/{artifact['relative_path']}")
        request = urllib.request.Request(url, headers={"mcp-session-id": data["session_id"]})
        with urllib.request.urlopen(request) as response:
            pathlib.Path(artifact["name"]).write_bytes(response.read())
        print(f"{artifact['name']}: {artifact['size']} bytes, {artifact['mime']}")


asyncio.run(main())
