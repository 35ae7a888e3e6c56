# await, async for and async with at the top of a program.
import asyncio, contextlib

async def count(n):
    for i in range(n):
        await asyncio.sleep(0)
        yield i

@contextlib.asynccontextmanager
async def opened(name):
    print("open", name)
    yield name.upper()
    print("close", name)

async with opened("a") as name:
    async for i in count(2):
        print(name, i)
squares = [i * i async for i in count(4)]
await asyncio.gather(*(asyncio.sleep(0, n) for n in (1, 2))), squares
