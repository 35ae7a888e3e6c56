"""asyncio on the sandbox's event loop."""

import asyncio
import asyncio.unix_events
import time
import unittest

from prims_runtime import _loop

from . import support
from .support import Case

NAMES = ("SelectorEventLoop", "DefaultEventLoopPolicy", "EventLoop")
saved = {}


def setUpModule():
    if not support.IN_GUEST:
        for module in (asyncio, asyncio.unix_events):
            saved[module] = {name: getattr(module, name) for name in NAMES if hasattr(module, name)}
        _loop.install()


def tearDownModule():
    for module, names in saved.items():
        for name, value in names.items():
            setattr(module, name, value)
    if not support.IN_GUEST:
        asyncio.set_event_loop_policy(None)


class TopLevel(Case):
    def test_await(self):
        self.assertEqual(self.value("import asyncio\nawait asyncio.sleep(0, 5)"), 5)

    def test_async_for_and_with(self):
        code = """
import contextlib
async def numbers():
    for n in range(3):
        yield n
@contextlib.asynccontextmanager
async def place():
    yield 'in'
seen = []
async for n in numbers():
    seen.append(n)
async with place() as where:
    seen.append(where)
seen + [n async for n in numbers()]
"""
        self.assertEqual(self.value(code), [0, 1, 2, "in", 0, 1, 2])

    def test_comprehension_alone_makes_it_async(self):
        self.assertEqual(self.value("async def g():\n    yield 1\n[x async for x in g()]"), [1])

    def test_value_and_names(self):
        self.assertEqual(self.value("import asyncio\nx = await asyncio.sleep(0, 1)\nx + 1"), 2)
        self.assertFalse(self.completes("import asyncio\nawait asyncio.sleep(0)").has_value)

    def test_left_over_tasks_are_cancelled(self):
        code = "import asyncio\nasync def f():\n    try:\n        await asyncio.sleep(100)\n    finally:\n        print('cancelled')\nt = asyncio.create_task(f())\nawait asyncio.sleep(0)"
        self.assertEqual(self.completes(code).out, "cancelled\n")

    def test_run_inside_is_the_usual_error(self):
        ran = self.raises(
            "import asyncio\nasync def f(): pass\nawait asyncio.sleep(0)\nasyncio.run(f())", "RuntimeError"
        )
        self.assertEqual(ran.error["message"], "asyncio.run() cannot be called from a running event loop")

    def test_future_import_with_await(self):
        self.assertEqual(
            self.value("from __future__ import annotations\nimport asyncio\nx: nowhere = await asyncio.sleep(0, 3)\nx"),
            3,
        )

    def test_cancelled_main(self):
        self.raises("import asyncio\nasyncio.current_task().cancel()\nawait asyncio.sleep(1)", "CancelledError")


class Programs(Case):
    def test_asyncio_run(self):
        self.assertEqual(
            self.value("import asyncio\nasync def f():\n    await asyncio.sleep(0.01)\n    return 3\nasyncio.run(f())"),
            3,
        )
        self.assertEqual(
            self.value("import asyncio\nasync def f(): return 1\n[asyncio.run(f()) for _ in range(3)]"), [1, 1, 1]
        )

    def test_gather_runs_together(self):
        began = time.monotonic()
        code = "import asyncio\nasync def f(n):\n    await asyncio.sleep(0.2)\n    return n\nasync def main(): return await asyncio.gather(*(f(n) for n in range(20)))\nasyncio.run(main())"
        self.assertEqual(self.value(code), list(range(20)))
        self.assertLess(time.monotonic() - began, 1.5)

    def test_timers_in_order(self):
        code = "import asyncio\nseen = []\nasync def main():\n    loop = asyncio.get_running_loop()\n    for n in (3, 1, 2): loop.call_later(n / 50, seen.append, n)\n    loop.call_soon(seen.append, 0)\n    loop.call_soon_threadsafe(seen.append, 0.5)\n    await asyncio.sleep(0.1)\nasyncio.run(main())\nseen"
        self.assertEqual(self.value(code), [0, 0.5, 1, 2, 3])

    def test_timeouts(self):
        self.raises("import asyncio\nawait asyncio.wait_for(asyncio.sleep(5), 0.01)", "TimeoutError")
        self.raises("import asyncio\nasync with asyncio.timeout(0.01): await asyncio.Event().wait()", "TimeoutError")
        self.assertEqual(
            self.value(
                "import asyncio\nd, p = await asyncio.wait([asyncio.create_task(asyncio.sleep(n)) for n in (0, 5)], timeout=0.02)\n[len(d), len(p)]"
            ),
            [1, 1],
        )

    def test_task_group(self):
        self.assertEqual(
            self.value(
                "import asyncio\nasync with asyncio.TaskGroup() as g: t = [g.create_task(asyncio.sleep(0, n)) for n in range(3)]\n[x.result() for x in t]"
            ),
            [0, 1, 2],
        )
        self.raises(
            "import asyncio\nasync def bad(): 1/0\nasync with asyncio.TaskGroup() as g: g.create_task(bad())",
            "ExceptionGroup",
        )

    def test_queue_lock_semaphore_event(self):
        code = """
import asyncio
async def producer(q):
    for n in range(5):
        await q.put(n)
        await asyncio.sleep(0)
    await q.put(None)
async def main():
    q, lock, gate, seen = asyncio.Queue(2), asyncio.Lock(), asyncio.Semaphore(1), []
    task = asyncio.create_task(producer(q))
    while (n := await q.get()) is not None:
        async with lock, gate:
            seen.append(n)
    await task
    return seen
asyncio.run(main())
"""
        self.assertEqual(self.value(code), [0, 1, 2, 3, 4])

    def test_runner_and_explicit_loop(self):
        self.assertEqual(
            self.value(
                "import asyncio\nasync def f(): return 1\nwith asyncio.Runner() as r: x = r.run(f()), r.run(f())\nx"
            ),
            [1, 1],
        )
        self.assertEqual(
            self.value(
                "import asyncio\nloop = asyncio.new_event_loop()\nx = loop.run_until_complete(asyncio.sleep(0, 2))\nloop.close()\nx"
            ),
            2,
        )
        self.assertEqual(
            self.value("import asyncio\nasyncio.SelectorEventLoop().run_until_complete(asyncio.sleep(0, 2))"), 2
        )
        asyncio.set_event_loop_policy(_loop.SandboxEventLoopPolicy())  # as a fresh clone has it
        self.assertEqual(
            self.value(
                "import asyncio, warnings\nwarnings.simplefilter('ignore')\nasyncio.get_event_loop().run_until_complete(asyncio.sleep(0, 2))"
            ),
            2,
        )

    def test_unittest_pattern(self):
        code = "import unittest\nclass T(unittest.IsolatedAsyncioTestCase):\n    async def asyncSetUp(self): self.x = 1\n    async def test_x(self): self.assertEqual(self.x, 1)\nunittest.main(argv=['x'], exit=False).result.wasSuccessful()"
        self.assertIs(self.value(code), True)

    def test_context_variables(self):
        self.assertEqual(
            self.value(
                "import asyncio, contextvars\nv = contextvars.ContextVar('v')\nv.set(1)\nasync def f():\n    v.set(2)\n    return v.get()\n[await asyncio.create_task(f()), v.get()]"
            ),
            [2, 1],
        )

    def test_eager_tasks_and_debug(self):
        self.assertEqual(
            self.value(
                "import asyncio\nasync def f(): return 1\nasyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)\nawait asyncio.create_task(f())"
            ),
            1,
        )
        self.assertEqual(self.value("import asyncio\nasync def f(): return 1\nasyncio.run(f(), debug=True)"), 1)

    def test_exception_in_callback_is_logged(self):
        self.assertIn(
            "ZeroDivisionError",
            self.completes(
                "import asyncio\nasyncio.get_running_loop().call_soon(lambda: 1/0)\nawait asyncio.sleep(0.01)"
            ).err,
        )

    def test_task_exception_never_retrieved(self):
        self.assertIn(
            "never retrieved",
            self.completes(
                "import asyncio\nasync def f(): 1/0\nt = asyncio.create_task(f())\nawait asyncio.sleep(0)\nawait asyncio.sleep(0)\ndel t\nimport gc\ngc.collect()\nNone"
            ).err,
        )

    def test_async_generators_are_closed(self):
        self.assertEqual(
            self.completes(
                "import asyncio\nasync def g():\n    try:\n        yield 1\n    finally:\n        print('closed')\nasync def main():\n    global it\n    it = g()\n    await anext(it)\nasyncio.run(main())"
            ).out,
            "closed\n",
        )


class Deadlocks(Case):
    def test_waiting_for_nothing(self):
        ran = self.raises(
            "import asyncio\nasync def stuck():\n    await asyncio.Event().wait()\nasyncio.run(stuck())", "RuntimeError"
        )
        self.assertIn("asyncio deadlock", ran.error["message"])
        self.assertIn("stuck, line 3", ran.error["message"])

    def test_other_shapes(self):
        for code in (
            "await asyncio.get_running_loop().create_future()",
            "await asyncio.Queue().get()",
            "lock = asyncio.Lock()\nawait lock.acquire()\nawait lock.acquire()",
            "asyncio_loop = asyncio.get_running_loop()\nasync with asyncio.TaskGroup() as g: g.create_task(asyncio.Event().wait())",
        ):
            with self.subTest(code):
                self.assertIn("deadlock", self.raises("import asyncio\n" + code, "RuntimeError").error["message"])

    def test_run_forever(self):
        self.raises("import asyncio\nasyncio.new_event_loop().run_forever()", "RuntimeError")

    def test_cleanup_that_hangs_too(self):
        ran = self.raises(
            "import asyncio\nasync def f():\n    while True:\n        try:\n            await asyncio.Event().wait()\n        except asyncio.CancelledError: pass\nasyncio.run(f())",
            "RuntimeError",
        )
        self.assertIn("deadlock", ran.error["message"])


class Refusals(Case):
    def test_threads(self):
        self.assertIn(
            "threads are not available",
            self.raises("import asyncio\nawait asyncio.to_thread(print, 1)", "RuntimeError").error["message"],
        )
        self.assertIn(
            "threads are not available",
            self.raises(
                "import asyncio\nawait asyncio.get_running_loop().run_in_executor(None, print)", "RuntimeError"
            ).error["message"],
        )

    def test_own_executor(self):
        code = "import asyncio, concurrent.futures as c\nclass Inline(c.Executor):\n    def submit(self, f, *a, **k):\n        r = c.Future()\n        r.set_result(f(*a, **k))\n        return r\nawait asyncio.get_running_loop().run_in_executor(Inline(), lambda: 4)"
        self.assertEqual(self.value(code), 4)

    def test_network(self):
        for call in (
            "asyncio.open_connection('example.org', 80)",
            "asyncio.start_server(print, '127.0.0.1', 1)",
            "loop.create_connection(asyncio.Protocol, '127.0.0.1', 1)",
            "loop.getaddrinfo('example.org', 80)",
            "loop.create_datagram_endpoint(asyncio.DatagramProtocol)",
            "loop.create_unix_connection(print, '/x')",
            "loop.sock_connect(None, None)",
        ):
            with self.subTest(call):
                ran = self.raises(f"import asyncio\nloop = asyncio.get_running_loop()\nawait {call}", "PermissionError")
                self.assertEqual(ran.error["message"], "network access is disabled in this sandbox")

    def test_processes(self):
        for call in ("asyncio.create_subprocess_exec('ls')", "asyncio.create_subprocess_shell('ls')"):
            self.assertEqual(
                self.raises(f"import asyncio\nawait {call}", "PermissionError").error["message"],
                "processes are not available in this sandbox",
            )

    def test_signals(self):
        self.raises(
            "import asyncio\nawait asyncio.sleep(0)\nasyncio.get_running_loop().add_signal_handler(2, print)",
            "NotImplementedError",
        )


if __name__ == "__main__":
    unittest.main()
