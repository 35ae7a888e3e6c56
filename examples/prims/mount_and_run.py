"""Fetches a file into the session once, then runs code that reads it: `mount_and_run.py URL`."""

import asyncio
import json
import os
import sys

from mcp import Client

SERVER = os.environ.get("PRIMS_URL", "http://localhost:9000/mcp")
CODE = """
import csv
with open('mounts/data/countries.csv') as file:
    print('Row count:', len(list(csv.DictReader(file))))
"""


async def main(url):
    async with Client(SERVER, mode="legacy") as client:
        mounted = await client.call_tool("mount_file", {"url": url, "mount_path": "data/countries.csv"})
        print("Mounted:", json.loads(mounted.content[0].text)["mounted_as"])
        result = await client.call_tool("run_code", {"code": CODE})
        print(json.loads(result.content[0].text)["stdout"], end="")


asyncio.run(main(sys.argv[1]))
