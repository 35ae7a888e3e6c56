# Callbacks run in the order of their times.
import asyncio
async def main():
    loop, done, seen = asyncio.get_running_loop(), asyncio.Event(), []
    loop.call_later(0.02, done.set)
    loop.call_later(0.001, seen.append, "later")
    loop.call_soon(seen.append, "soon")
    loop.call_at(loop.time() - 1, seen.append, "past")
    await done.wait()
    return seen
asyncio.run(main())
