# Network streams and processes refuse at the call.
import asyncio
for attempt in (
    lambda: asyncio.open_connection("example.org", 80),
    lambda: asyncio.open_connection("127.0.0.1", 80),
    lambda: asyncio.start_server(print, "127.0.0.1", 0),
    lambda: asyncio.create_subprocess_exec("ls"),
    lambda: asyncio.create_subprocess_shell("ls"),
    lambda: asyncio.get_running_loop().getaddrinfo("example.org", 80),
    lambda: asyncio.open_unix_connection("/tmp/socket"),
):
    try:
        await attempt()
    except (OSError, RuntimeError, NotImplementedError) as error:
        print(type(error).__name__, error)
