# SystemExit in a task ends the program with its status.
import asyncio, sys
async def leave():
    sys.exit(9)
async def main():
    await asyncio.gather(leave(), asyncio.sleep(30))
asyncio.run(main())
