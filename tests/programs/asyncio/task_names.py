# The first task of a program is the first one.
import asyncio
async def name():
    return asyncio.current_task().get_name()
async def main():
    return [await name(), await asyncio.create_task(name()), *await asyncio.gather(name(), name())]
asyncio.run(main())
