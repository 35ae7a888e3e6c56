# limits: timeout=200ms
import asyncio
async def tick():
    while True:
        await asyncio.sleep(0)
await tick()
