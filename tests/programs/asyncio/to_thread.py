# There are no threads: to_thread and run_in_executor say so.
import asyncio
try:
    await asyncio.get_running_loop().run_in_executor(None, print, "never")
except RuntimeError as error:
    print(error)
await asyncio.to_thread(print, "never")
