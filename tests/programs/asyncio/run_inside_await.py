# asyncio.run in a program that also awaits at the top is the error it is in CPython.
import asyncio
async def main():
    return 1
print(await main())
coroutine = main()
try:
    asyncio.run(coroutine)
except RuntimeError as error:
    print(error)
    coroutine.close()
