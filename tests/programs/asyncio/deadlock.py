# Waiting for what nobody will do is an error, not a run until the deadline.
import asyncio
async def main():
    await asyncio.get_running_loop().create_future()
asyncio.run(main())
