# Locks, events, semaphores, conditions and barriers between tasks.
import asyncio
log = []
async def with_lock(lock, name):
    async with lock:
        log.append(f"{name} in")
        await asyncio.sleep(0)
        log.append(f"{name} out")
async def main():
    lock, event, limit = asyncio.Lock(), asyncio.Event(), asyncio.Semaphore(1)
    await asyncio.gather(with_lock(lock, "a"), with_lock(lock, "b"))
    async def waiter():
        await event.wait()
        log.append("woken")
    task = asyncio.create_task(waiter())
    await asyncio.sleep(0)
    event.set()
    await task
    async with limit:
        log.append(f"locked {limit.locked()}")
    barrier = asyncio.Barrier(2)
    await asyncio.gather(barrier.wait(), barrier.wait())
asyncio.run(main())
log
