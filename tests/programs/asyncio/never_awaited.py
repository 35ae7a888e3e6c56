# A forgotten await is warned about.
async def work():
    return 1
async def main():
    work()
import asyncio
asyncio.run(main())
