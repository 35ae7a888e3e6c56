"""The event loop: asyncio without sockets, threads or a selector.

With nothing outside that could wake it, a loop only ever waits for its next timer; it does so in ``time.sleep``, which
the host can interrupt. A loop with neither a ready callback nor a timer would wait for ever: it raises instead.
"""

from ._own import BUILTINS as __builtins__  # noqa: F401, I001

import asyncio
import asyncio.base_events
import asyncio.events
import asyncio.unix_events
import time

from ._sandbox import NO_NETWORK, NO_PIPES, NO_PROCESSES, NO_THREADS, denied

_sleep = time.sleep


class _Timers:
    """Stands where ``BaseEventLoop._run_once`` expects a selector."""

    def __init__(self, loop):
        self._loop = loop

    def select(self, timeout):
        if timeout is None:
            raise RuntimeError(_deadlock(self._loop))
        if timeout > 0:
            _sleep(timeout)
        return ()


def _deadlock(loop):
    text = "asyncio deadlock: no task can run and no timer is set, so the event loop would wait for ever"
    places = []
    for task in asyncio.all_tasks(loop):
        frames = task.get_stack(limit=1)
        if frames:
            places.append(f"{task.get_name()} waits in {frames[0].f_code.co_qualname}, line {frames[0].f_lineno}")
    if places:
        text += f" ({'; '.join(sorted(places)[:5])}{'; ...' if len(places) > 5 else ''})"
    return text


def _refuse(message, coroutine=True):
    if coroutine:

        async def refuse(self, *args, **kwargs):
            raise denied(message)

    else:

        def refuse(self, *args, **kwargs):
            raise denied(message)

    return refuse


class SandboxEventLoop(asyncio.base_events.BaseEventLoop):
    """Runs callbacks, tasks and timers; everything that needs a socket, a thread or a process refuses."""

    def __init__(self, selector=None):
        super().__init__()
        self._selector = _Timers(self)

    def _process_events(self, event_list):
        pass

    def _write_to_self(self):
        pass

    def run_in_executor(self, executor, func, *args):
        self._check_closed()
        if executor is None:
            raise RuntimeError(NO_THREADS)
        return asyncio.wrap_future(executor.submit(func, *args), loop=self)

    def add_signal_handler(self, sig, callback, *args):
        raise NotImplementedError("signals are not available in this sandbox")

    def remove_signal_handler(self, sig):
        return False

    add_reader = add_writer = _refuse(NO_NETWORK, coroutine=False)
    remove_reader = remove_writer = lambda self, fd: False

    create_connection = create_server = create_datagram_endpoint = _refuse(NO_NETWORK)
    create_unix_connection = create_unix_server = connect_accepted_socket = _refuse(NO_NETWORK)
    getaddrinfo = getnameinfo = sendfile = start_tls = _refuse(NO_NETWORK)
    sock_recv = sock_recv_into = sock_recvfrom = sock_recvfrom_into = _refuse(NO_NETWORK)
    sock_sendall = sock_sendto = sock_connect = sock_accept = sock_sendfile = _refuse(NO_NETWORK)
    connect_read_pipe = connect_write_pipe = _refuse(NO_PIPES)
    subprocess_exec = subprocess_shell = _refuse(NO_PROCESSES)


class SandboxEventLoopPolicy(asyncio.events.BaseDefaultEventLoopPolicy):
    _loop_factory = SandboxEventLoop


def install():
    """Make ours the loop that asyncio creates, under all the names it goes by."""
    for module in (asyncio, asyncio.unix_events):
        module.SelectorEventLoop = SandboxEventLoop
        module.DefaultEventLoopPolicy = SandboxEventLoopPolicy
    asyncio.EventLoop = asyncio.unix_events.EventLoop = SandboxEventLoop
    asyncio.set_event_loop_policy(SandboxEventLoopPolicy())


def run(coroutine):
    """Run the code of a program with top-level ``await`` to its end, as ``asyncio.run`` would."""
    with asyncio.Runner(loop_factory=SandboxEventLoop) as runner:
        return runner.run(coroutine)


_kept = None


def run_on(coroutine):
    """The same in a session: on one loop for all calls, whose tasks stand still between them and go on with the next."""
    global _kept
    if _kept is None or _kept.is_closed():
        _kept = SandboxEventLoop()
    asyncio.set_event_loop(_kept)
    return _kept.run_until_complete(coroutine)
