# Producers and consumers with a bounded queue.
import asyncio
async def main():
    queue, out = asyncio.Queue(maxsize=2), []
    async def produce():
        for i in range(5):
            await queue.put(i)
        await queue.put(None)
    async def consume():
        while (item := await queue.get()) is not None:
            out.append(item)
            queue.task_done()
    await asyncio.gather(produce(), consume())
    return out
asyncio.run(main())
