import asyncio
async def after(delay, value):
    await asyncio.sleep(delay)
    return value
async def main():
    tasks = {asyncio.create_task(after(d, d)) for d in (0.001, 30)}
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    print(len(done), len(pending))
    for task in pending:
        task.cancel()
    return [await each for each in asyncio.as_completed([after(0.02, "b"), after(0.001, "a")])]
asyncio.run(main())
