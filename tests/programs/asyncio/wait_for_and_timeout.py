# wait_for and timeout cancel what takes too long.
import asyncio
async def stubborn():
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        print("cancelled")
        raise
try:
    await asyncio.wait_for(stubborn(), 0.01)
except TimeoutError as error:
    print("wait_for:", repr(error))
try:
    async with asyncio.timeout(0.01):
        await stubborn()
except TimeoutError as error:
    print("timeout:", repr(error))
async with asyncio.timeout(10) as within:
    await asyncio.sleep(0)
within.expired()
