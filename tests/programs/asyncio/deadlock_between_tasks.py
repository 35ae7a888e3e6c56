# The same at the top, with tasks that wait for each other.
import asyncio
first, second = asyncio.Event(), asyncio.Event()
async def one():
    await first.wait()
    second.set()
async def other():
    await second.wait()
    first.set()
asyncio.current_task().set_name("program")
async with asyncio.TaskGroup() as group:
    group.create_task(one(), name="one")
    group.create_task(other(), name="other")
