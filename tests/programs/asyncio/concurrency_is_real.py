# Sleeps of several tasks overlap: the order is that of their times.
import asyncio, time
order = []
async def worker(name, delay):
    await asyncio.sleep(delay)
    order.append(name)
    return name
async def main():
    began = time.monotonic()
    results = await asyncio.gather(worker("slow", 0.06), worker("fast", 0.01), worker("middle", 0.03))
    return results, order, time.monotonic() - began < 0.095
asyncio.run(main())
