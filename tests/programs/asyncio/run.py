# asyncio.run works as in a script, more than once.
import asyncio
async def main(name):
    await asyncio.sleep(0.001)
    return f"hello {name}"
[asyncio.run(main("a")), asyncio.run(main("b"))]
