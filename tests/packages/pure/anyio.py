# requirement: anyio
# imports: anyio
import anyio

async def main():
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, 0)
    with anyio.move_on_after(0.01) as scope:
        await anyio.sleep(10)
    return scope.cancelled_caught
assert anyio.run(main)
