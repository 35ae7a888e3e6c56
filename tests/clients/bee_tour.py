"""What python-interpreter-mcp does: `bee_tour.py rest URL` posts as it does, `stdio PROGRAM` and `http URL` ask for its tool."""

import asyncio
import json
import sys


async def post(url):
    import httpx

    async def execute(source_code):
        # With the usual time of its client, 5 s.
        async with httpx.AsyncClient() as client:
            headers = {"Content-Type": "application/json"}
            response = await client.post(f"{url}/v1/execute", json={"source_code": source_code}, headers=headers)
            response.raise_for_status()
            return response.json()

    found = await execute("print(sum(range(10)))")
    assert found == {"stdout": "45\n", "stderr": "", "exit_code": 0, "files": {}}, found
    found = await execute("open('x.txt', 'w').write('1')\n1 / 0")
    assert found["exit_code"] == 1 and "ZeroDivisionError" in found["stderr"], found
    assert list(found["files"]) == ["/workspace/x.txt"], found


async def tour(client):
    [tool] = (await client.list_tools()).tools
    assert tool.name == "execute_python_code", tool
    assert tool.description == "Execute Python code with a Python interpreter given a source code string.", tool
    assert list(tool.input_schema["properties"]) == tool.input_schema["required"] == ["source_code"], tool

    async def call(name="execute_python_code", **arguments):
        return await client.call_tool(name, arguments)

    done = await call(source_code="print('hi')")
    expected = {"stdout": "hi\n", "stderr": "", "exit_code": 0, "files": {}}
    assert not done.is_error and done.structured_content == expected, done
    assert json.loads(done.content[0].text) == expected, done
    done = await call(source_code="import sys\nprint('x', file=sys.stderr)\nsys.exit(3)")
    assert done.structured_content == {"stdout": "", "stderr": "x\n", "exit_code": 3, "files": {}}, done
    done = await call(source_code="1 / 0")
    assert not done.is_error and done.structured_content["exit_code"] == 1, done
    for arguments in ({}, {"source_code": 1}, {"source_code": "1", "more": 1}):
        done = await call(**arguments)
        assert done.is_error and "validation error" in done.content[0].text, done
    done = await call("other")
    assert done.is_error and "Unknown tool" in done.content[0].text, done


async def main(mode, target):
    if mode == "rest":
        return await post(target)
    from mcp import Client
    from mcp.client.stdio import StdioServerParameters

    server = StdioServerParameters(command=target, args=["--compat", "bee", "stdio"]) if mode == "stdio" else target
    for era in ("legacy", "auto"):
        async with Client(server, mode=era, read_timeout_seconds=120) as client:
            await tour(client)


asyncio.run(main(*sys.argv[1:]))
print("done")
