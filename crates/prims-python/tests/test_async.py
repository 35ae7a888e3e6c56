"""Runs from asyncio."""

import asyncio
import gc
import os
import subprocess
import sys
import tempfile
import threading
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from prims_wasm import AsyncSandbox, AsyncSession, CodeError, FileError, InvalidArgument, Output, Result, Sandbox, SessionError

LOOP = "print('begun', flush=True)\nwhile True: pass"


class Async(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        self.sandbox = AsyncSandbox(offline=True)

    async def test_runs(self):
        async with AsyncSandbox(["numpy"], offline=True) as sandbox:
            self.assertIn("numpy", [package.name for package in await sandbox.prepare()])
            result = await sandbox.run("import numpy\nprint('x')\nint(numpy.ones(4).sum())")
            self.assertEqual((result.stdout, result.value), ("x\n", 4))
        with self.assertRaises(InvalidArgument):
            await sandbox.run("1")
        with self.assertRaises(CodeError):
            (await self.sandbox.run("1 / 0")).check()

    async def test_many_at_a_time(self):
        results = await asyncio.gather(*(self.sandbox.run(f"{number} * 2") for number in range(40)))
        self.assertEqual([result.value for result in results], [number * 2 for number in range(40)])

    async def test_the_main_thread_waits_for_no_other_run(self):
        sleep = "import time\nprint('begun', flush=True)\ntime.sleep(3000)"
        tasks = [asyncio.create_task(self.sandbox.run(sleep, timeout=3000)) for _ in range(40)]
        await asyncio.sleep(0.1)
        self.assertEqual(Sandbox(offline=True).run("1").value, 1)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        self.assertTrue(all(task.cancelled() for task in tasks))
        # Those that had no thread yet were cancelled as well.
        self.assertEqual((await asyncio.wait_for(self.sandbox.run("2"), 60)).value, 2)

    async def test_what_cannot_be_run_is_told(self):
        with self.assertRaises(InvalidArgument):
            await self.sandbox.run("1", memory=1 << 40)
        with self.assertRaises(SessionError):
            session = await self.sandbox.session().fork()
            await session.close()
            await session.run("1")
        self.assertEqual((await self.sandbox.run("1", deps=["numpy>99"])).status, "install_error")

    async def test_the_loop_goes_on_meanwhile(self):
        steps = 0
        task = asyncio.create_task(self.sandbox.run("while True: pass", timeout=0.5))
        while not task.done():
            steps += 1
            await asyncio.sleep(0.001)
        self.assertEqual((await task).status, "timeout")
        self.assertGreater(steps, 20)

    async def test_cancelling_the_task_stops_the_code(self):
        begun = asyncio.Event()
        code = "import time\nprint('begun', flush=True)\nwhile True: print('.', flush=True); time.sleep(0.01)"
        came = []

        def take(output):
            came.append(output.text)
            begun.set()

        task = asyncio.create_task(self.sandbox.run(code, timeout=3000, on_output=take))
        await begun.wait()
        task.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await task
        for _ in range(100):
            count = len(came)
            await asyncio.sleep(0.3)
            if len(came) == count:
                return
        self.fail("the code goes on")

    async def cancelled(self, code):
        begun = asyncio.Event()
        task = asyncio.create_task(self.sandbox.run(code, timeout=3000, on_output=lambda _: begun.set()))
        await begun.wait()
        task.cancel()
        await asyncio.wait((task,))
        return task.cancelled()

    async def test_code_that_is_busy_or_asleep_stops_as_well(self):
        for code in (LOOP, "import time\nprint('begun', flush=True)\ntime.sleep(3000)", "print('begun', flush=True)\nsum(range(10**12))"):
            self.assertTrue(await self.cancelled(code))
        # Their threads are free: as many runs as there are threads do not wait for each other.
        texts = await asyncio.wait_for(asyncio.gather(*(self.sandbox.run("1") for _ in range(64))), 120)
        self.assertEqual(len(texts), 64)

    async def test_a_timeout_of_asyncio(self):
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(self.sandbox.run(LOOP, timeout=3000), 0.5)
        self.assertEqual((await self.sandbox.run("1")).value, 1)

    async def test_streaming(self):
        code = "import sys, time\nprint('a', flush=True)\ntime.sleep(0.2)\nprint('b', file=sys.stderr, flush=True)\n7"
        items = [item async for item in self.sandbox.stream(code)]
        said = [(item.stream, item.text) for item in items[:-1]]
        self.assertEqual("".join(text for stream, text in said if stream == "stdout"), "a\n")
        self.assertEqual("".join(text for stream, text in said if stream == "stderr"), "b\n")
        self.assertIsInstance(items[-1], Result)
        self.assertEqual(items[-1].value, 7)

    async def test_leaving_a_stream_stops_the_code(self):
        stream = self.sandbox.stream(LOOP, timeout=3000)
        self.assertEqual(await stream.__anext__(), Output("stdout", "begun"))
        await asyncio.wait_for(stream.aclose(), 60)
        gc.collect()

    async def test_a_slow_reader_loses_output_and_is_told_how_much(self):
        code = "for _ in range(4000): print('x' * 999)"
        text, omitted, largest = 0, 0, None
        async for item in self.sandbox.stream(code):
            if isinstance(item, Result):
                largest = item
                break
            if not text:
                await asyncio.sleep(1)
            text, omitted = text + len(item.text), omitted + item.omitted
        self.assertEqual(text + omitted, 4_000_000)
        self.assertGreater(omitted, 0)
        self.assertEqual(largest.truncated, ("stdout",))

    async def test_an_exception_of_the_callback_stops_the_code(self):
        def refuse(output):
            raise KeyError(output.text)

        with self.assertRaises(KeyError):
            await self.sandbox.run(LOOP, on_output=refuse, timeout=3000)

    async def test_sessions(self):
        async with self.sandbox.session() as session:
            await session.run("x = 1")
            await session.write("d/f", b"bytes")
            fork = await session.fork()
            await fork.run("x = 2")
            self.assertEqual([(await part.run("x")).value for part in (session, fork)], [1, 2])
            self.assertEqual([(file.path, file.read()) for file in await fork.files()], [("d/f", b"bytes")])
            items = [item async for item in session.stream("print(x)\nx")]
            self.assertEqual(("".join(item.text for item in items[:-1]), items[-1].value), ("1\n", 1))
            await fork.close()
            again = await self.sandbox.open_session(session.id)
            self.assertEqual((await again.run("x")).value, 1)
            await again.delete("d")
            self.assertEqual(await again.files(), ())
            await again.reset(files=True)
            self.assertEqual((await again.run("'x' in globals()")).value, False)

    async def test_a_session_begins_once_whatever_is_done_first(self):
        with tempfile.TemporaryDirectory() as folder:
            sandbox = AsyncSandbox(data_dir=folder, offline=True)
            there = lambda: len(list(Path(folder).glob("sessions/*")))
            session = sandbox.session()
            await asyncio.gather(*(session.run(f"x{number} = 1") for number in range(4)))
            self.assertEqual(((await session.run("x0 + x1 + x2 + x3")).value, there()), (4, 1))
            await session.close()
            works = [
                lambda session: session.write("f", "x"),
                lambda session: session.reset(),
                lambda session: session.files(),
                lambda session: session.fork(),
            ]
            for work in works:
                session = sandbox.session()
                await work(session)
                self.assertEqual((await session.run("1")).value, 1)
                await session.close()
            for work in (AsyncSession.read, AsyncSession.delete):
                session = sandbox.session()
                with self.assertRaises(FileError):
                    await work(session, "nothing")
                await session.close()
            # Only the fork is left. A session that never began has nothing to end.
            await sandbox.session().close()
            self.assertEqual(there(), 1)

    async def test_a_task_that_is_cancelled_at_the_beginning_leaves_one_session(self):
        with tempfile.TemporaryDirectory() as folder:
            sandbox = AsyncSandbox(data_dir=folder, offline=True)
            await sandbox.run("1")
            session = sandbox.session()
            task = asyncio.create_task(session.run("x = 1"))
            await asyncio.sleep(0)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            self.assertEqual((await session.run("'x' in globals()")).value, False)
            self.assertEqual(len(list(Path(folder).glob("sessions/*"))), 1)
            await session.close()

    async def test_leaving_a_stream_of_a_session_stops_the_code(self):
        async with self.sandbox.session() as session:
            await session.run("x = 1")
            stream = session.stream("x = 2\n" + LOOP, timeout=3000)
            self.assertEqual(await stream.__anext__(), Output("stdout", "begun"))
            await asyncio.wait_for(stream.aclose(), 60)
            self.assertEqual((await session.run("x")).value, 1)
            with self.assertRaises(TypeError):
                session.stream("1", on_output=print)

    async def test_the_loop_goes_on_while_a_file_is_read(self):
        with tempfile.TemporaryDirectory() as folder:
            pipe = Path(folder) / "pipe"
            os.mkfifo(pipe)
            runs = threading.Event()

            def write():
                said = "beside" if runs.wait(60) else "after"
                pipe.write_text(said)

            thread = threading.Thread(target=write)
            thread.start()
            task = asyncio.create_task(self.sandbox.run("open('f').read()", files={"f": pipe}))
            await asyncio.sleep(0.01)
            runs.set()
            self.assertEqual((await task).value, "beside")
            thread.join()
            with self.assertRaises(FileNotFoundError):
                await self.sandbox.run("1", files={"f": Path(folder) / "nothing"})

    async def test_a_session_goes_on_after_a_task_was_cancelled(self):
        async with self.sandbox.session() as session:
            await session.run("x = 1")
            begun = asyncio.Event()
            task = asyncio.create_task(session.run("x = 2\n" + LOOP, timeout=3000, on_output=lambda _: begun.set()))
            await begun.wait()
            task.cancel()
            await asyncio.wait((task,))
            self.assertEqual((await session.run("x")).value, 1)


class Loops(unittest.TestCase):
    async def many(self, base):
        sandbox = AsyncSandbox(offline=True)
        results = await asyncio.gather(*(sandbox.run(f"{base} + {number}") for number in range(8)))
        self.assertEqual([result.value for result in results], [base + number for number in range(8)])
        return base

    def test_several_loops_at_a_time(self):
        with ThreadPoolExecutor(4) as threads:
            done = threads.map(lambda base: asyncio.run(self.many(base)), range(0, 80, 10), timeout=120)
            self.assertEqual(list(done), list(range(0, 80, 10)))

    def test_a_loop_that_ended_leaves_nothing_open(self):
        asyncio.run(self.many(0))
        gc.collect()
        before = len(os.listdir("/dev/fd"))
        for base in range(20):
            asyncio.run(self.many(base))
        gc.collect()
        self.assertLess(len(os.listdir("/dev/fd")), before + 10)

    def test_a_process_ends_while_a_run_goes_on(self):
        code = (
            "import asyncio\nfrom prims_wasm import AsyncSandbox\n"
            "loop, sandbox = asyncio.new_event_loop(), AsyncSandbox(offline=True)\n"
            "loop.run_until_complete(sandbox.run('1'))\n"
            "task = loop.create_task(sandbox.run('while True: pass', timeout=3000))\n"
            "loop.run_until_complete(asyncio.sleep(0.1))\n"
            "print('end')"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
        self.assertEqual((done.returncode, done.stdout), (0, "end\n"), done.stderr)


if __name__ == "__main__":
    unittest.main()
