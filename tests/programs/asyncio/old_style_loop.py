# new_event_loop and run_until_complete, as older programs use them.
import asyncio
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
async def work():
    return 5
value = loop.run_until_complete(work())
loop.close()
value, loop.is_closed()
