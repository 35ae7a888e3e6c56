# The value of a last expression that awaits.
import asyncio
async def answer():
    await asyncio.sleep(0)
    return {"answer": 42}
await answer()
