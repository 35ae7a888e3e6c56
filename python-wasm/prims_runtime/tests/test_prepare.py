"""Building an image, in an interpreter of its own: it freezes the collector and is not to be undone."""

import json
import os
import subprocess
import sys
import unittest

from . import support

PROGRAM = """
import json, os, sys
sys.path.insert(0, {package!r})
import prims_runtime
def ask(**request):
    return json.loads(prims_runtime.handle(json.dumps(request).encode()))
"""


def prepared(code):
    program = PROGRAM.format(package=os.path.dirname(support.HERE)) + code
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done


@unittest.skipIf(support.IN_GUEST, "there are no processes")
class Prepare(unittest.TestCase):
    def test_reply(self):
        reply, done = prepared(
            "print(json.dumps(ask(op='prepare', preload=['@default', 'colorsys', 'no_such_module', 'no_such.sub'])))"
        )
        self.assertTrue(reply["ok"])
        self.assertEqual(reply["python"], sys.version.split()[0])
        self.assertLessEqual({"json", "asyncio", "numbers", "colorsys"}, set(reply["imported"]))
        self.assertNotIn("@default", reply["imported"])
        self.assertEqual(
            [(s["module"], s["error"]) for s in reply["skipped"]][-2:],
            [
                ("no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
                ("no_such.sub", "ModuleNotFoundError: No module named 'no_such'"),
            ],
        )
        self.assertEqual(done.stderr, "")

    def test_all_defaults_import(self):
        reply, _ = prepared("print(json.dumps(ask(op='prepare', preload=[])))")
        self.assertEqual(reply["skipped"], [])
        self.assertGreater(len(reply["imported"]), 60)

    def test_modules_that_fail(self):
        code = """
import tempfile
folder = tempfile.mkdtemp()
sys.path.insert(0, folder)
for name, body in dict(exits="raise SystemExit(3)", interrupts="raise KeyboardInterrupt", talks="print('hello')", long="raise ValueError('x' * 10**6)", strange="class E(Exception):\\n    def __str__(s): raise SystemExit\\nraise E").items():
    open(f"{folder}/bad_{name}.py", "w").write(body)
out = sys.stdout
reply = ask(op='prepare', preload=['bad_exits', 'bad_interrupts', 'bad_talks', 'bad_long', 'bad_strange'])
import shutil; shutil.rmtree(folder)
sys.stdout = out
print(json.dumps(reply))
"""
        reply, _ = prepared(code)
        found = {s["module"]: s["error"] for s in reply["skipped"]}
        self.assertEqual(found["bad_exits"], "SystemExit: 3")
        self.assertEqual(found["bad_interrupts"], "KeyboardInterrupt: ")
        self.assertLess(len(found["bad_long"]), 1000)
        self.assertIn("bad_strange", found)
        self.assertIn("bad_talks", reply["imported"])

    def test_leaves_nothing_behind(self):
        code = """
import atexit, gc, linecache
registered = atexit._ncallbacks()
ask(op='prepare', preload=[])
main = sys.modules['__main__']
facts = [sorted(n for n in vars(main) if not n.startswith('__')), '<code>' in linecache.cache, dict(os.environ) == __import__('prims_runtime._sandbox')._sandbox.BASE_ENVIRONMENT,
         gc.get_freeze_count() > 10_000, atexit._ncallbacks() >= registered, sys.getrecursionlimit(), sys.gettrace()]
first = ask(op='run', code='import asyncio, logging, sys\\nx = 1\\nlogging.root.handlers + [x]')
sys.stdout = sys.__stdout__
print(json.dumps([facts, first]))
"""
        (facts, first), done = prepared(code)
        self.assertEqual(facts, [[], False, True, True, True, 1000, None])
        self.assertEqual((first["json"], done.stderr), ([1], ""))

    def test_entropy_is_untouched_by_rehearsals(self):
        code = """
import random
before = random.getstate()
ask(op='prepare', preload=[])
print(json.dumps(before == random.getstate()))
"""
        self.assertIs(prepared(code)[0], True)

    def test_first_runs_import_nothing(self):
        code = r"""
ask(op='prepare', preload=[])
before = set(sys.modules)
for program in ('1+1', 'print(1)', '1/0', 'x =', 'undefined', 'import sys; sys.exit("m")', '{"a": [1, {2}]}',
                'raise ExceptionGroup("g", [ValueError("ä")])', 'import asyncio\nasyncio.run(asyncio.sleep(0))',
                'await __import__("asyncio").sleep(0)', 'import datetime\ndatetime.datetime.now()', 'def f(): f()\nf()',
                'input()', 'import math\nmath.pie', 'from math import pie', '[][1]', 'import no_such', 'open("/no/such")'):
    ask(op='run', code=program)
sys.stdout = sys.__stdout__
print(json.dumps(sorted(set(sys.modules) - before)))
"""
        self.assertEqual(prepared(code)[0], [])

    def test_audit_hook_that_forbids_everything(self):
        code = r"""
hook = '''import sys
def hook(event, arguments):
    raise SystemExit(event)
sys.addaudithook(hook)
'''
raw = prims_runtime.handle(json.dumps({'op': 'run', 'code': hook + program}).encode())
os.write(1, raw)
os._exit(0)
"""
        for program, key, expected in (
            ("[1, 2]", "repr", "[1, 2]"),
            ("1/0", "exit", "raised"),
            ("sys.exit(3)", "code", 3),
        ):
            with self.subTest(program):
                self.assertEqual(prepared(f"program = {program!r}" + code)[0][key], expected)

    def test_runs_after_it(self):
        reply, _ = prepared(
            "ask(op='prepare', preload=[])\nr = [ask(op='run', code='[1, 2]')['json'] for _ in range(3)]\nsys.stdout = sys.__stdout__\nprint(json.dumps(r))"
        )
        self.assertEqual(reply, [[1, 2]] * 3)


if __name__ == "__main__":
    unittest.main()
