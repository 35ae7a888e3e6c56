# Tasks still running at the end are cancelled.
import asyncio
async def background():
    try:
        await asyncio.sleep(60)
    finally:
        print("cleaned up")
task = asyncio.create_task(background())
await asyncio.sleep(0)
"end"
