"""What the sandbox lacks refuses at the call, and says why."""

import _thread
import concurrent.futures.process
import importlib.util
import multiprocessing.pool
import multiprocessing.process
import os
import subprocess
import sys
import threading
import unittest

from prims_runtime import _sandbox

from . import support
from .support import Case, run

PROCESSES = "processes are not available in this sandbox"
THREADS = "can't start new thread: threads are not available in this sandbox"
patched = (
    os,
    threading,
    _thread,
    subprocess.Popen,
    threading.Condition,
    multiprocessing.process.BaseProcess,
    multiprocessing.pool.Pool,
    concurrent.futures.process,
)
saved = []


def setUpModule():
    if support.IN_GUEST:
        return
    import builtins
    import platform
    import time

    for thing in (*patched, builtins, platform, time):
        saved.append((thing, dict(vars(thing))))
    _sandbox.install()


def tearDownModule():
    for thing, names in saved:
        now = dict(vars(thing))
        for name, value in names.items():
            if now[name] is not value:
                setattr(thing, name, value)
        for name in now.keys() - names.keys():
            delattr(thing, name)
    saved.clear()


class Processes(Case):
    def test_os(self):
        for call in (
            "os.system('ls')",
            "os.popen('ls')",
            "os.fork()",
            "os.execv('/bin/ls', ['ls'])",
            "os.execvp('ls', ['ls'])",
            "os.spawnl(os.P_WAIT if hasattr(os, 'P_WAIT') else 0, 'ls')",
            "os.posix_spawn('ls', [], {})",
            "os.kill(1, 9)",
        ):
            with self.subTest(call):
                ran = self.raises(f"import os\n{call}", "PermissionError")
                self.assertEqual(ran.error["message"], PROCESSES)

    def test_subprocess(self):
        for call in (
            "run(['ls'])",
            "run('ls', shell=True)",
            "Popen('ls')",
            "check_output(['ls'])",
            "call(['ls'])",
            "getoutput('ls')",
        ):
            with self.subTest(call):
                ran = self.raises(f"import subprocess\nsubprocess.{call}", "PermissionError")
                self.assertEqual((ran.error["message"], ran.err), (PROCESSES, ""))

    def test_is_an_os_error_with_a_number(self):
        self.assertEqual(
            self.value(
                "import errno, os\ntry: os.system('ls')\nexcept OSError as e: r = [e.errno == errno.EACCES, str(e)]\nr"
            ),
            [True, PROCESSES],
        )

    def test_multiprocessing(self):
        for call in (
            "multiprocessing.Process(target=print).start()",
            "multiprocessing.Pool(2)",
            "multiprocessing.Pool()",
        ):
            with self.subTest(call):
                ran = self.raises(f"import multiprocessing\n{call}", "PermissionError")
                self.assertEqual((ran.error["message"], ran.err), (PROCESSES, ""))

    def test_process_pool_refuses_the_way_callers_know(self):
        ran = self.raises("import concurrent.futures as f\nf.ProcessPoolExecutor(2)", "NotImplementedError")
        self.assertEqual((ran.error["message"], ran.err), (PROCESSES, ""))

    def test_signal_to_itself(self):
        code = "import os, signal\ngot = []\nold = signal.signal(signal.SIGINT, lambda *a: got.append(a[0]))\n"
        code += "os.kill(os.getpid(), 0)\nos.kill(os.getpid(), signal.SIGINT)\nsignal.signal(signal.SIGINT, old)\n[int(n) for n in got]"
        self.assertEqual(self.value(code), [2])
        self.raises("import os\nos.kill(os.getpid(), 1000)", "OSError")
        self.raises("import os\nos.kill(os.getpid(), 2)", "KeyboardInterrupt")

    def test_platform_does_not_ask_processes(self):
        self.assertTrue(self.value("import platform\nplatform.platform() and platform.processor() is not None"))


class Threads(Case):
    def test_start(self):
        for call in (
            "threading.Thread(target=print).start()",
            "threading.Timer(0, print).start()",
            "_thread.start_new_thread(print, ())",
        ):
            with self.subTest(call):
                self.assertEqual(
                    self.raises(f"import threading, _thread\n{call}", "RuntimeError").error["message"], THREADS
                )

    def test_failed_start_leaves_no_trace(self):
        self.assertEqual(
            self.value(
                "import threading\ntry: threading.Thread(target=print).start()\nexcept RuntimeError: pass\n[threading.active_count(), len(threading.enumerate())]"
            ),
            [1, 1],
        )

    def test_pool(self):
        self.assertEqual(
            self.raises(
                "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor() as e: e.submit(print)",
                "RuntimeError",
            ).error["message"],
            THREADS,
        )
        self.assertEqual(
            self.raises(
                "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor() as e: list(e.map(print, [1]))",
                "RuntimeError",
            ).error["message"],
            THREADS,
        )

    def test_pool_of_multiprocessing(self):
        for code in ("import multiprocessing.pool as p\np.ThreadPool(2)", "import multiprocessing.dummy as d\nd.Pool()"):
            with self.subTest(code):
                ran = self.raises(code, "RuntimeError")
                self.assertEqual((ran.error["message"], ran.err), (THREADS, ""))

    def test_locks_work(self):
        code = """
import threading
lock, rlock, local, event = threading.Lock(), threading.RLock(), threading.local(), threading.Event()
with lock, rlock, rlock:
    local.x = 1
event.set()
[event.wait(), local.x, lock.acquire(False), lock.acquire(timeout=0.01), threading.current_thread() is threading.main_thread(), threading.Semaphore(1).acquire()]
"""
        self.assertEqual(self.value(code), [True, 1, True, False, True, True])

    def test_waits_that_cannot_end(self):
        for call in (
            "threading.Event().wait()",
            "queue.Queue().get()",
            "threading.Semaphore(0).acquire()",
            "concurrent.futures.Future().result()",
            "threading.Barrier(2).wait()",
        ):
            with self.subTest(call):
                self.assertIn(
                    "would never end",
                    self.raises(f"import threading, queue, concurrent.futures\n{call}", "RuntimeError").error[
                        "message"
                    ],
                )

    def test_waits_with_a_timeout(self):
        self.assertIs(self.value("import threading\nthreading.Event().wait(0.01)"), False)
        self.raises("import queue\nqueue.Queue().get(timeout=0.01)", "Empty")

    def test_wait_without_the_lock(self):
        self.assertIn(
            "un-acquired",
            self.raises("import threading\nthreading.Condition().wait()", "RuntimeError").error["message"],
        )


class Names(Case):
    def test_exit_and_quit(self):
        self.exits("exit(3)", 3)
        self.exits("quit()", 0)
        self.exits("exit('m')", 1)

    def test_host_name(self):
        self.assertEqual(
            self.value("import os, platform\n[os.uname().nodename, platform.node() != '', os.getlogin()]"),
            ["sandbox", True, "sandbox"],
        )

    def test_the_runtimes_frames_are_not_shown(self):
        self.assertTrue(
            self.raises("import os\nos.system('ls')")
            .error["traceback"]
            .startswith('Traceback (most recent call last):\n  File "<code>", line 2, in <module>\n')
        )


class Missing(Case):
    def test_callbacks_around_forks(self):
        code = "import os\nos.register_at_fork(before=int, after_in_child=int)\nos.fork()"
        self.assertEqual((self.raises(code, "PermissionError").error["message"], run(code).out), (PROCESSES, ""))

    def test_small_functions(self):
        self.assertEqual(
            self.value(
                "import os, platform, time\nold = os.umask(0o27)\n[os.umask(old) == 0o27, platform.libc_ver(), time.thread_time() >= 0, time.get_clock_info('thread_time').monotonic]"
            ),
            [True, ["", ""], True, True],
        )


class Workspace(unittest.TestCase):
    def test_modules_of_the_workspace(self):
        # In the guest this is /workspace; the finder is the same.
        path, home = list(sys.path), _sandbox.HOME
        with support.scratch_folder() as folder, support.untouched():
            _sandbox.HOME = folder
            try:
                _sandbox.import_workspace()
                for number in range(20):  # within one tick of the file clock
                    with open(f"{folder}/made_{number}.py", "w") as file:
                        file.write(f"x = {number}")
                    self.assertEqual(importlib.import_module(f"made_{number}").x, number)
                before = [entry for entry in sys.path if "site-packages" in entry]
                self.assertTrue(all(sys.path.index(folder) < sys.path.index(entry) for entry in before))
                with open(f"{folder}/colorsys.py", "w") as file:
                    file.write("raise SystemExit")
                sys.modules.pop("colorsys", None)
                self.assertTrue(hasattr(importlib.import_module("colorsys"), "rgb_to_hls"))
            finally:
                _sandbox.HOME = home
                sys.path[:] = path


if __name__ == "__main__":
    unittest.main()
