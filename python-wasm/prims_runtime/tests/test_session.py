"""Calls of a session: what the next one finds."""

import builtins
import random

from prims_runtime import _loop, _run, _session

from .support import IN_GUEST, Case


class SessionCase(Case):
    def setUp(self):
        _run._main = None
        _session._begun = False
        _session._seeded.clear()
        _session._spared = 0
        self.originals = random.seed, random.setstate

    def tearDown(self):
        random.seed, random.setstate = self.originals
        if _loop._kept is not None:
            _loop._kept.close()
            _loop._kept = None
        _run._main = None
        builtins.__dict__.pop("_", None)

    def call(self, code, **request):
        return self.value(code, session=True, **request)

    def does(self, code):
        return self.completes(code, session=True)


class Session(SessionCase):
    def test_names_and_environment_survive(self):
        self.does("import os, math\nx = [1]\nos.environ['KEPT'] = 'yes'")
        self.assertEqual(self.call("x.append(2)\n[x, math.floor(2.5)]"), [[1, 2], 2])
        self.assertEqual(self.call("x", env={"ADDED": "too"}), [1, 2])

    def test_a_run_alone_finds_nothing(self):
        self.does("x = 1")
        self.raises("x", "NameError")

    def test_last_value(self):
        self.does("[1, 2]")
        builtins._ = [1, 2]  # what a run changes in this process is put back after it
        self.assertEqual(self.call("_ + [3]"), [1, 2, 3])
        self.assertEqual(self.call("_ = 5\n_"), 5)

    def test_after_errors_and_exits(self):
        self.raises("kept = 1\n1 / 0\nlost = 2", "ZeroDivisionError", session=True)
        self.assertEqual(self.call("[kept, 'lost' in globals()]"), [1, False])
        self.exits("kept = 2\nimport sys\nsys.exit(3)", 3, session=True)
        self.assertEqual(self.call("kept"), 2)

    def test_seeds_survive_and_nothing_else(self):
        self.does("import random")
        first = self.call("random.random()")
        random.setstate(random.Random(1).getstate())
        self.assertNotEqual(self.call("random.random()"), first)
        self.does("random.seed(1)")
        expected = random.Random(1)
        self.assertEqual(self.call("[random.random(), random.random()]"), [expected.random(), expected.random()])
        self.assertEqual(self.call("random.random()"), expected.random())
        self.does("state = random.getstate()")
        following = self.call("random.random()")
        self.does("random.setstate(state)")
        self.assertEqual(self.call("random.random()"), following)
        self.does("random.seed()\nstate = random.getstate()")
        self.assertTrue(self.call("random.getstate() != state"))

    def test_exit_callbacks_wait(self):
        self.does("import atexit\nran = []\natexit.register(ran.append, 1)")
        self.assertEqual(self.call("atexit.unregister(ran.append)\nran"), [])

    def test_garbage_is_collected(self):
        bound, _session.COLLECTION_BOUND = _session.COLLECTION_BOUND, 60
        self.addCleanup(setattr, _session, "COLLECTION_BOUND", bound)
        self.does("import gc, weakref\nclass A: pass\na = A(); a.me = a\ngone = weakref.ref(a)\ndel a")
        self.assertTrue(self.call("gone() is None"))
        self.raises("class B:\n    pass\ndef f():\n    b = B()\n    global late\n    late = weakref.ref(b)\n    1 / 0\nf()", session=True)
        self.assertTrue(self.call("late() is None"))

    def test_much_garbage_is_not_searched_for_in_every_call(self):
        bound, _session.COLLECTION_BOUND = _session.COLLECTION_BOUND, 1e-9
        self.addCleanup(setattr, _session, "COLLECTION_BOUND", bound)
        self.does("import weakref\nclass A: pass")
        self.assertGreater(_session._spared, 0)
        self.does("a = A(); a.me = a\ngone = weakref.ref(a)\ndel a")
        self.assertFalse(self.call("gone() is None"))

    def test_standard_streams_are_whole_again(self):
        self.completes("import sys, io\nsys.stdout = io.StringIO()\nprint('lost')", session=True)
        self.assertEqual(self.completes("print('seen')", session=True).out, "seen\n")

    def test_tasks_go_on_with_the_next_call(self):
        self.does("import asyncio\ndone = []\nasync def work():\n    for i in range(3):\n        await asyncio.sleep(0)\n        done.append(i)")
        self.does("task = asyncio.create_task(work())\nawait asyncio.sleep(0)")
        self.assertFalse(self.call("task.done()"))
        self.assertEqual(self.call("await task\ndone"), [0, 1, 2])

    def test_the_loop_survives_what_ends_a_call(self):
        self.does("import asyncio, sys\nasync def ok(): return 1")
        self.raises("await asyncio.sleep(0)\n1 / 0", "ZeroDivisionError", session=True)
        self.exits("await asyncio.sleep(0)\nsys.exit(4)", 4, session=True)
        self.raises("await asyncio.get_running_loop().create_future()", "RuntimeError", session=True)
        self.assertEqual(self.call("await ok()"), 1)
        self.assertEqual(self.call("asyncio.run(ok())"), 1)
        self.does("await asyncio.sleep(0)\nasyncio.get_running_loop().call_soon(asyncio.get_running_loop().stop)")
        self.assertEqual(self.call("await ok()"), 1)

    def test_memory_that_runs_out_in_the_report(self):
        ran = self.raises("class M:\n    def __repr__(self): raise MemoryError\nx = 1\nraise MemoryError", session=True)
        self.assertNotIn("lost", ran.reply)
        self.assertEqual(self.call("x"), 1)


class Files(SessionCase):
    def test_are_closed(self):
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            self.does(f"f = open({folder!r} + '/a', 'w')\nf.write('written')\nb = open({folder!r} + '/a', 'rb')")
            with open(f"{folder}/a") as file:
                self.assertEqual(file.read(), "written")
            self.assertEqual(self.call("[f.closed, b.closed]"), [True, True])

    def test_what_is_in_memory_stays_open(self):
        self.does("import io\ntext = io.StringIO('x')\nwrapped = io.TextIOWrapper(io.BytesIO(b'y'))")
        self.assertEqual(self.call("[text.read(), wrapped.read()]"), ["x", "y"])


if not IN_GUEST:
    del Files.test_are_closed  # it would close the files of whoever runs the tests
