# Waiting for what nobody will do is an error, not a run until the deadline.
import asyncio
async def main():
    asyncio.current_task().set_name("main")
    await asyncio.get_running_loop().create_future()
asyncio.run(main())
