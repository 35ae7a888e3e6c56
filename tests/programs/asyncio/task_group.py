# A task group waits for its tasks; when one fails the others are cancelled and the errors come as a group.
import asyncio
async def work(name, delay, fails=False):
    try:
        await asyncio.sleep(delay)
        if fails:
            raise ValueError(name)
        return name
    except asyncio.CancelledError:
        print("cancelled", name)
        raise
async with asyncio.TaskGroup() as group:
    tasks = [group.create_task(work(n, 0)) for n in "ab"]
print([task.result() for task in tasks])
try:
    async with asyncio.TaskGroup() as group:
        group.create_task(work("fails", 0.001, True))
        group.create_task(work("waits", 10))
except* ValueError as errors:
    print(repr(errors), [e.args for e in errors.exceptions])
