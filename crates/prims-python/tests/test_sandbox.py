"""Runs without a session, from ordinary Python."""

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

import prims_wasm
from prims_wasm import CodeError, FileError, InstallError, InvalidArgument, Output, PrimsError, Sandbox

LOOP = "print('begun', flush=True)\nwhile True: pass"


class Results(unittest.TestCase):
    def setUp(self):
        self.sandbox = Sandbox(offline=True)
        self.run_code = self.sandbox.run

    def test_output_and_value(self):
        result = self.run_code("import sys\nprint('out')\nprint('err', file=sys.stderr)\n{'a': [1, 2.5, None, True, 'é']}")
        self.assertEqual((result.status, result.ok, result.exit_code), ("success", True, 0))
        self.assertEqual((result.stdout, result.stderr), ("out\n", "err\n"))
        self.assertEqual(result.value, {"a": [1, 2.5, None, True, "é"]})
        self.assertEqual(result.repr, "{'a': [1, 2.5, None, True, 'é']}")
        self.assertIs(result.check(), result)
        self.assertGreater(result.usage.fuel, 1000)
        self.assertGreater(result.usage.peak_memory, 1 << 20)
        self.assertGreater(result.usage.wall, result.usage.start)

    def test_a_value_and_none_are_told_apart(self):
        nothing, no_json = self.run_code("x = 1"), self.run_code("object")
        self.assertEqual((nothing.value, nothing.repr), (None, None))
        self.assertEqual((no_json.value, no_json.repr), (None, "<class 'object'>"))

    def test_what_the_code_raises_is_a_result(self):
        result = self.run_code("def f():\n    return 1 / 0\n\nf()")
        self.assertEqual((result.status, result.ok, result.exit_code), ("error", False, 1))
        self.assertEqual((result.error.type, result.error.message, result.error.line), ("ZeroDivisionError", "division by zero", 2))
        self.assertTrue(result.error.traceback.startswith("Traceback (most recent call last):\n"), result.error.traceback)
        with self.assertRaises(CodeError) as raised:
            result.check()
        self.assertIs(raised.exception.result, result)
        self.assertEqual(str(raised.exception), "ZeroDivisionError: division by zero")

    def test_the_ways_to_end(self):
        self.assertTrue(self.run_code("raise SystemExit").ok)
        exited = self.run_code("print('x')\nimport sys\nsys.exit(3)")
        self.assertEqual((exited.status, exited.exit_code, exited.stdout, exited.error.type), ("exit", 3, "x\n", "SystemExit"))
        stopped = self.run_code(LOOP, timeout=0.2)
        self.assertEqual((stopped.status, stopped.stdout, stopped.error.type), ("timeout", "begun\n", "timeout"))
        self.assertEqual(self.run_code("while True: pass", fuel=10_000_000).status, "fuel_exhausted")
        self.assertEqual(self.run_code("bytearray(1 << 30)", memory=256 << 20).error.type, "MemoryError")
        self.assertEqual(self.run_code("import os\nos.abort()").status, "crashed")
        for result in (exited, stopped):
            self.assertRaises(CodeError, result.check)

    def test_what_is_given_to_the_code(self):
        result = self.run_code(
            "import os, sys\n[name, os.environ['A'], input(), open('in.txt').read(), open('d/b.bin', 'rb').read()[0], sorted(os.environ)]",
            globals={"name": {"nested": [1, None]}},
            env={"A": "b"},
            stdin="line\n",
            files={"in.txt": "text", "d/b.bin": b"\xff", "copied.py": Path(__file__)},
        )
        self.assertEqual(result.value[:5], [{"nested": [1, None]}, "b", "line", "text", 255], result.error)
        self.assertNotIn("PYTHONPATH", result.value[5])

    def test_defaults_of_the_sandbox_and_of_the_run(self):
        sandbox = Sandbox(timeout=0.2, env={"A": "1", "B": "2"}, offline=True)
        self.assertEqual(sandbox.run("import os\nos.environ['A'] + os.environ['B']", env={"B": "3"}, timeout=20).value, "13")
        self.assertEqual(sandbox.run(LOOP).status, "timeout")

    def test_nothing_of_a_run_is_seen_by_the_next(self):
        self.run_code("import builtins\nbuiltins.x = 1\nopen('left', 'w').close()\nopen('output/left', 'w').close()")
        seen = self.run_code("import builtins, os\n[hasattr(builtins, 'x'), sorted(os.listdir()), os.listdir('output')]")
        self.assertEqual(seen.value, [False, ["mounts", "output"], []])
        for change in ("os.rmdir('output'); os.symlink('mounts', 'output')", "os.rmdir('mounts'); os.mkdir('mounts')", "os.utime('output', (1, 1))"):
            self.run_code(f"import os\n{change}").check()
            # More runs than there are folders to be used again.
            for _ in range(6):
                seen = self.run_code("import os\n[os.path.islink('output'), sorted(os.listdir()), os.stat('output').st_mtime > 1]")
                self.assertEqual(seen.value, [False, ["mounts", "output"], True], change)

    def test_artifacts(self):
        code = "import os\nos.makedirs('output/d')\nopen('output/d/a.csv', 'w').write('x,y')\nopen('output/b.bin', 'wb').write(b'\\xff' * 100)\nopen('c', 'w')"
        result = self.run_code(code)
        artifacts = {artifact.path: artifact for artifact in result.artifacts}
        self.assertEqual(sorted(artifacts), ["output/b.bin", "output/d/a.csv"])
        table = artifacts["output/d/a.csv"]
        self.assertEqual((table.name, table.size, table.mime, table.read_text()), ("a.csv", 3, "text/csv", "x,y"))
        del result
        with tempfile.TemporaryDirectory() as folder:
            artifacts["output/b.bin"].save(Path(folder) / "b")
            self.assertEqual((Path(folder) / "b").read_bytes(), b"\xff" * 100)

    def test_files_of_a_run_go_with_its_result(self):
        with tempfile.TemporaryDirectory() as folder:
            code = (
                "import pathlib, tempfile\nfrom prims_wasm import Sandbox\n"
                "def there(): return len(list(pathlib.Path(tempfile.gettempdir()).rglob('x')))\n"
                "result = Sandbox(offline=True).run(\"open('output/x', 'w').write('y')\")\n"
                "print(there(), result.artifacts[0].read())\n"
                "del result\n"
                "print(there())\n"
                "kept = Sandbox(offline=True).run(\"open('output/x', 'w')\")\n"
                "session = Sandbox(offline=True).session()\n"
            )
            done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "TMPDIR": folder}, capture_output=True, text=True)
            self.assertEqual(done.stdout, "1 b'y'\n0\n", done.stderr)
            self.assertEqual(os.listdir(folder), [])

    def test_no_path_leads_out_of_the_workspace(self):
        for path in ("../x", "/etc/passwd", "a/../../x", "", ".", "a\0b", "x" * 5000):
            with self.assertRaises((FileError, InvalidArgument), msg=path):
                self.run_code("1", files={path: "x"})
        code = "import os\nos.symlink('real', 'output/link')\nopen('output/real', 'w').close()"
        self.assertEqual([artifact.path for artifact in self.run_code(code).artifacts], ["output/real"])

    def test_output_that_is_too_long_is_cut(self):
        result = self.run_code("print('head')\nfor _ in range(3000): print('x' * 1000)\nprint('tail')")
        self.assertEqual(result.truncated, ("stdout",))
        self.assertTrue(result.stdout.startswith("head\n") and result.stdout.endswith("tail\n"))
        self.assertLess(len(result.stdout), 2 << 20)

    def test_pictures(self):
        result = self.run_code("class P:\n    def _repr_png_(self): return b'\\x89PNG'\nP()")
        self.assertEqual((result.rich.mime, result.rich.content()), ("image/png", b"\x89PNG"))

    def test_top_level_await(self):
        self.assertEqual(self.run_code("import asyncio\nawait asyncio.sleep(0.01, 7)").value, 7)


class Arguments(unittest.TestCase):
    def setUp(self):
        self.sandbox = Sandbox(offline=True)

    def test_arguments_that_mean_nothing(self):
        for arguments in (
            {"timeout": 0},
            {"timeout": -1},
            {"timeout": float("nan")},
            {"timeout": 1e9},
            {"memory": 0},
            {"memory": 1},
            {"memory": 1 << 40},
            {"fuel": 0},
            {"env": {"A=B": ""}},
            {"env": {"A": "\0"}},
            {"env": {"": "x"}},
            {"globals": {"x": object()}},
            {"globals": {"x": float("nan")}},
            {"deps": "numpy"},
        ):
            with self.assertRaises(InvalidArgument, msg=arguments) as raised:
                self.sandbox.run("1", **arguments)
            self.assertIsInstance(raised.exception, ValueError)
        with self.assertRaises(InvalidArgument):
            Sandbox(index_url="not a url", offline=True).run("1")

    def test_types_that_are_wrong(self):
        for arguments in ({"code": 1}, {"code": "1", "timeout": "1"}, {"code": "1", "deps": [1]}, {"code": "1", "files": {"a": 1}}):
            self.assertRaises(TypeError, self.sandbox.run, **arguments)

    def test_a_closed_sandbox_runs_nothing(self):
        with Sandbox(offline=True) as sandbox:
            sandbox.run("1")
        self.assertRaises(InvalidArgument, sandbox.run, "1")

    def test_exceptions_survive_pickling(self):
        error = pickle.loads(pickle.dumps(InvalidArgument("found", "hint")))
        self.assertEqual((error.message, error.hint, str(error)), ("found", "hint", "found (hint: hint)"))
        self.assertIsInstance(error, PrimsError)

    def test_names_of_the_package(self):
        for name in prims_wasm.__all__:
            self.assertIsNotNone(getattr(prims_wasm, name))
        self.assertRaises(AttributeError, lambda: prims_wasm.nothing)
        self.assertTrue(prims_wasm.PYTHON_VERSION.startswith("3.13."))


class Packages(unittest.TestCase):
    def setUp(self):
        self.sandbox = Sandbox(offline=True)

    def test_bundled_packages(self):
        self.assertIn("numpy", [package.name for package in self.sandbox.prepare(["numpy"])])
        result = self.sandbox.run("import numpy as np\nnp.arange(4).reshape(2, 2)", deps=["numpy"])
        self.assertEqual((result.value, result.environment[0].name), ([[0, 1], [2, 3]], "numpy"))
        self.assertEqual(Sandbox(["numpy"], offline=True).run("import numpy\nint(numpy.ones(3).sum())").value, 3)

    def test_requirements_that_cannot_be_met(self):
        for bad in ("no-such-package-anywhere", "numpy>99", "--index-url=http://127.0.0.1/", "x @ file:///etc/passwd"):
            result = self.sandbox.run("print('never')", deps=[bad])
            self.assertEqual((result.status, result.stdout, result.usage, result.exit_code), ("install_error", "", None, None), bad)
            self.assertRaises(CodeError, result.check)
            with self.assertRaises(InstallError) as raised:
                self.sandbox.prepare([bad])
            self.assertEqual(raised.exception.message, result.error.message)


class Interrupting(unittest.TestCase):
    def setUp(self):
        self.sandbox = Sandbox(offline=True)
        self.sandbox.run("1")

    def test_output_while_it_is_written(self):
        seen = []
        result = self.sandbox.run("import sys\nprint('é', flush=True)\nprint('b', file=sys.stderr)", on_output=seen.append)
        said = {stream: "".join(output.text for output in seen if output.stream == stream) for stream in ("stdout", "stderr")}
        self.assertEqual(said, {"stdout": "é\n", "stderr": "b\n"})
        self.assertEqual((result.stdout, result.stderr), ("é\n", "b\n"))

    def test_characters_that_are_cut_are_put_together(self):
        seen = []
        code = "import os\nfor byte in 'aé€😀'.encode() + b'\\xff!': os.write(1, bytes([byte]))"
        self.sandbox.run(code, on_output=lambda output: seen.append(output.text))
        self.assertEqual("".join(seen), "aé€😀\ufffd!")

    def test_an_exception_of_the_callback_stops_the_code(self):
        def refuse(output: Output) -> None:
            raise KeyError(output.text)

        with self.assertRaises(KeyError):
            self.sandbox.run(LOOP, on_output=refuse, timeout=3000)

    def test_control_c_stops_the_code(self):
        timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
        timer.start()
        with self.assertRaises(KeyboardInterrupt):
            self.sandbox.run(LOOP, timeout=3000)
        timer.join()
        self.assertEqual(self.sandbox.run("1").value, 1)

    def test_a_handler_of_a_signal_runs_code_while_code_runs(self):
        values = []
        before = signal.signal(signal.SIGALRM, lambda *_: values.append(self.sandbox.run("6 * 7").value))
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            self.assertEqual(self.sandbox.run("while True: pass", timeout=2).status, "timeout")
        finally:
            signal.signal(signal.SIGALRM, before)
        self.assertEqual(values, [42])
        for number in range(20):
            self.assertEqual(self.sandbox.run(str(number)).value, number)
        # Threads stay for the next run, and each run uses one that is there.
        names = lambda: [name.read_text() for name in Path("/proc/self/task").glob("*/comm")]
        before = names().count("prims-run\n")
        for number in range(100):
            self.sandbox.run("1")
        self.assertEqual(names().count("prims-run\n"), before)

    def test_threads_run_beside_each_other(self):
        count, done = 4, []
        barrier = threading.Barrier(count + 1)

        def work(number):
            # All of them are in the sandbox at the same time, or nobody gets past the barrier.
            result = self.sandbox.run(f"print('here', end='', flush=True)\n{number}", on_output=lambda _: barrier.wait(60))
            done.append(result.value)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        barrier.wait(60)
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(done), list(range(count)))

    def test_the_lock_of_the_interpreter_is_free_meanwhile(self):
        steps = []

        def count():
            while not over.is_set():
                steps.append(None)
                time.sleep(0.001)

        over, thread = threading.Event(), threading.Thread(target=count)
        thread.start()
        self.sandbox.run("while True: pass", timeout=0.5)
        over.set()
        thread.join()
        self.assertGreater(len(steps), 20)

    def forked(self, code):
        code = "import os, sys, threading\nfrom prims_wasm import AsyncSandbox, InvalidArgument, Sandbox, _engine\n" + code
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "TMPDIR": folder}
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120)
            self.assertEqual((done.returncode, os.listdir(folder)), (0, []), done.stderr)
        return done.stdout

    def test_a_fork_is_told_that_it_is_one(self):
        code = (
            "old = Sandbox(offline=True)\nold.run('1')\n"
            "if os.fork() == 0:\n"
            "    for sandbox in (old, Sandbox(offline=True), Sandbox(offline=True, auto_deps=False)):\n"
            "        try: sandbox.run('1')\n"
            "        except InvalidArgument as error: print('fork' in str(error), flush=True)\n"
            "    os._exit(0)\n"
            "os.wait()\nprint(old.run('2').value)"
        )
        self.assertEqual(self.forked(code), "True\nTrue\nTrue\n2\n")

    def test_a_fork_that_ends_takes_no_files_along(self):
        code = (
            "sandbox = Sandbox(offline=True)\n"
            "result, session = sandbox.run(\"open('output/x', 'w').write('y')\"), sandbox.session()\n"
            "session.run('x = 1')\nsandbox.run('1')\n"
            "if os.fork() == 0:\n"
            "    del result\n"
            "    raise SystemExit(7)\n"
            "print(os.waitstatus_to_exitcode(os.wait()[1]))\n"
            "print(result.artifacts[0].read(), session.run('x').value, sandbox.run('2').value)"
        )
        self.assertEqual(self.forked(code), "7\nb'y' 1 2\n")

    def test_a_fork_while_an_engine_is_made_does_not_wait_for_it(self):
        code = (
            "thread = threading.Thread(target=lambda: Sandbox(offline=True).run('1'))\n"
            "thread.start()\n"
            "while not _engine._lock.locked(): assert thread.is_alive()\n"
            "if os.fork() == 0:\n"
            "    try: Sandbox(offline=True).run('1')\n"
            "    except InvalidArgument: os._exit(7)\n"
            "print(os.waitstatus_to_exitcode(os.wait()[1]))\n"
            "thread.join()"
        )
        self.assertEqual(self.forked(code), "7\n")

    def test_a_fork_does_not_wait_for_threads_it_has_not(self):
        code = (
            "import asyncio\n"
            "asyncio.run(AsyncSandbox(offline=True).run('1'))\n"
            "if os.fork() == 0:\n"
            "    for sandbox in (AsyncSandbox(offline=True), AsyncSandbox(offline=True, auto_deps=False)):\n"
            "        try: asyncio.run(sandbox.run('1'))\n"
            "        except InvalidArgument: print('told', flush=True)\n"
            "    sys.exit(7)\n"
            "print(os.waitstatus_to_exitcode(os.wait()[1]))"
        )
        self.assertEqual(self.forked(code), "told\ntold\n7\n")


class Seed(unittest.TestCase):
    def test_the_compiled_guest_of_the_package_is_used(self):
        seed = Path(prims_wasm.__file__).parent / "seed"
        self.assertTrue(seed.is_dir(), "the package has no compiled guest")
        with tempfile.TemporaryDirectory() as cache:
            code = f"from prims_wasm import Sandbox\nprint(Sandbox(cache_dir={cache!r}, offline=True, on_progress=print).run('6 * 7').value)"
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
            self.assertEqual(done.stdout, "ready\n42\n", done.stderr)


if __name__ == "__main__":
    unittest.main()
