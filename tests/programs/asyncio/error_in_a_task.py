# A task that failed and that nobody asked is reported on stderr.
import asyncio
async def fail():
    raise ValueError("unseen")
async def main():
    task = asyncio.create_task(fail(), name="failing")
    await asyncio.sleep(0.001)
    del task
asyncio.run(main())
"done"
