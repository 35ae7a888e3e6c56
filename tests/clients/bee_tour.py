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


async def tour(session):
    listed = await session.list_tools()
    [tool] = listed.tools
    assert tool.name == "execute_python_code", tool
    assert tool.description == "Execute Python code with a Python interpreter given a source code string.", tool
    assert list(tool.inputSchema["properties"]) == tool.inputSchema["required"] == ["source_code"], tool

    async def call(name="execute_python_code", **arguments):
        return await session.call_tool(name, arguments)

    done = await call(source_code="print('hi')")
    expected = {"stdout": "hi\n", "stderr": "", "exit_code": 0, "files": {}}
    assert not done.isError and done.structuredContent == expected, done
    assert json.loads(done.content[0].text) == expected, done
    done = await call(source_code="import sys\nprint('x', file=sys.stderr)\nsys.exit(3)")
    assert done.structuredContent == {"stdout": "", "stderr": "x\n", "exit_code": 3, "files": {}}, done
    done = await call(source_code="1 / 0")
    assert not done.isError and done.structuredContent["exit_code"] == 1, done
    for arguments in ({}, {"source_code": 1}, {"source_code": "1", "more": 1}):
        done = await call(**arguments)
        assert done.isError and "validation error" in done.content[0].text, done
    try:
        done = await call("other")
        assert done.isError, done
    except Exception as error:
        assert "other" in str(error), error


async def main(mode, target):
    if mode == "rest":
        return await post(target)
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client

    if mode == "stdio":
        transport = stdio_client(StdioServerParameters(command=target, args=["--compat", "bee", "stdio"]))
    else:
        from mcp.client.streamable_http import streamable_http_client

        transport = streamable_http_client(target)
    async with transport as streams, ClientSession(*streams[:2]) as session:
        said = await session.initialize()
        assert said.serverInfo.name == "Python Interpreter", said
        await tour(session)


asyncio.run(main(*sys.argv[1:]))
print("done")
