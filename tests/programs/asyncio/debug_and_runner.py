# Runner keeps a loop; context variables reach tasks.
import asyncio, contextvars
name = contextvars.ContextVar("name", default="nobody")
async def show():
    return name.get()
async def main():
    name.set("task")
    return await asyncio.create_task(show())
with asyncio.Runner() as runner:
    print(runner.run(main()), runner.run(show()))
name.get()
