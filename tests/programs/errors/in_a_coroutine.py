# The frames of awaited coroutines; none of the event loop.
import asyncio
async def inner():
    await asyncio.sleep(0)
    raise LookupError("in the coroutine")
async def outer():
    await inner()
await outer()
