# gather returns or raises what its parts raise.
import asyncio
async def work(n):
    await asyncio.sleep(0)
    if n == 1:
        raise ValueError(f"number {n}")
    return n
print(await asyncio.gather(work(0), work(1), work(2), return_exceptions=True))
try:
    await asyncio.gather(work(0), work(1))
except ValueError as error:
    print("raised", error)
