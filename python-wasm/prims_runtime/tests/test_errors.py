"""Uncaught exceptions as the reply shows them."""

import subprocess
import sys
import textwrap
import unittest

from . import support
from .support import Case, run


class Tracebacks(Case):
    def test_whole_error(self):
        ran = self.raises("def f(x):\n    return 1 / x\n\nf(0)")
        self.assertEqual(
            ran.error,
            {
                "type": "ZeroDivisionError",
                "module": "builtins",
                "message": "division by zero",
                "traceback": textwrap.dedent("""\
                    Traceback (most recent call last):
                      File "<code>", line 4, in <module>
                        f(0)
                        ~^^^
                      File "<code>", line 2, in f
                        return 1 / x
                               ~~^~~
                    ZeroDivisionError: division by zero
                    """),
                "line": 2,
            },
        )
        self.assertEqual((ran.out, ran.err), ("", ""))

    def test_error_in_the_last_expression(self):
        self.assertIn("    [1][5]\n    ~~~^^^\nIndexError", self.raises("x = 1\n[1][5]").error["traceback"])

    def test_output_before_the_error_is_kept(self):
        self.assertEqual(self.raises("print('before')\n1/0").out, "before\n")

    def test_own_class(self):
        ran = self.raises("class Bad(Exception): pass\nraise Bad('x', 1)", "Bad")
        self.assertEqual((ran.error["module"], ran.error["message"]), ("__main__", "('x', 1)"))
        self.assertTrue(ran.error["traceback"].endswith("\nBad: ('x', 1)\n"), ran.error["traceback"])

    def test_no_message(self):
        ran = self.raises("raise ValueError")
        self.assertEqual(ran.error["message"], "")
        self.assertTrue(ran.error["traceback"].endswith("\nValueError\n"))

    def test_module_of_library_errors(self):
        ran = self.raises("import json\njson.loads('{')", "JSONDecodeError")
        self.assertEqual((ran.error["module"], ran.error["line"]), ("json.decoder", 2))
        self.assertIn("json.decoder.JSONDecodeError: Expecting", ran.error["traceback"])

    def test_notes(self):
        self.assertIn(
            "ValueError: v\nnote 1\nnote 2\n",
            self.raises("e = ValueError('v')\ne.add_note('note 1')\ne.add_note('note 2')\nraise e").error["traceback"],
        )

    def test_cause_and_context(self):
        text = self.raises("try:\n    1/0\nexcept ZeroDivisionError as e:\n    raise ValueError('v') from e").error[
            "traceback"
        ]
        self.assertIn("The above exception was the direct cause", text)
        text = self.raises("try:\n    1/0\nexcept ZeroDivisionError:\n    {}['k']").error["traceback"]
        self.assertIn("During handling of the above exception", text)
        self.assertEqual(text.count("Traceback (most recent call last)"), 2)

    def test_suppressed_context(self):
        self.assertEqual(
            self.raises("try:\n    1/0\nexcept Exception:\n    raise ValueError from None")
            .error["traceback"]
            .count("Traceback"),
            1,
        )

    def test_group(self):
        text = self.raises("raise ExceptionGroup('many', [ValueError(1), TypeError('t')])", "ExceptionGroup").error[
            "traceback"
        ]
        self.assertIn("  + Exception Group Traceback (most recent call last):", text)
        self.assertIn("    | TypeError: t\n", text)

    def test_suggestions(self):
        self.assertIn("Did you mean: 'values'?", self.raises("values = 1\nvaluse").error["traceback"])
        self.assertIn("Did you forget to import 'math'?", self.raises("math.pi").error["traceback"])

    def test_syntax_error(self):
        ran = self.raises("x = 1\ny = (2 +\nz", "SyntaxError", filename="script.py")
        self.assertEqual(ran.error["line"], 2)
        self.assertEqual(
            ran.error["traceback"],
            "  File \"/workspace/script.py\", line 2\n    y = (2 +\n        ^\nSyntaxError: '(' was never closed\n",
        )

    def test_syntax_error_range(self):
        self.assertIn(
            "    1 = x\n    ^\nSyntaxError: cannot assign to literal", self.raises("1 = x").error["traceback"]
        )

    def test_syntax_error_found_by_the_compiler(self):
        for code in (
            "return 1",
            "break",
            "def f(a, a): pass",
            "nonlocal x",
            "from __future__ import nothing",
            "x: int = (yield)",
        ):
            with self.subTest(code):
                self.assertIn('  File "<code>", line 1\n', self.raises(code, "SyntaxError").error["traceback"])

    def test_syntax_error_in_eval(self):
        text = self.raises("eval('1 +')", "SyntaxError").error["traceback"]
        self.assertIn('File "<code>", line 1, in <module>', text)
        self.assertIn('File "<string>", line 1\n', text)

    def test_keyboard_interrupt_and_generator_exit(self):
        self.raises("raise KeyboardInterrupt", "KeyboardInterrupt")
        self.raises("raise GeneratorExit('g')", "GeneratorExit")
        self.raises("raise BaseException", "BaseException")
        self.raises("raise StopIteration(1)", "StopIteration")
        self.raises("raise BaseExceptionGroup('g', [SystemExit(3)])", "BaseExceptionGroup")

    def test_await_frames(self):
        text = self.raises("import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    1/0\nawait f()").error[
            "traceback"
        ]
        self.assertEqual(
            text,
            'Traceback (most recent call last):\n  File "<code>", line 5, in <module>\n    await f()\n'
            '  File "<code>", line 4, in f\n    1/0\n    ~^~\nZeroDivisionError: division by zero\n',
        )

    def test_same_as_the_interpreter(self):
        if support.IN_GUEST:
            self.skipTest("there is no second interpreter")
        for code in (
            "def f(n):\n    return n and f(n - 1) + {}['x'].y\nf(3)",
            "class A:\n    @property\n    def x(self): raise AttributeError('a\\nb')\nA().x",
            "try:\n    int('x')\nexcept ValueError:\n    raise RuntimeError('r') from KeyError('k')",
            "raise ExceptionGroup('g', [ValueError(1), ExceptionGroup('h', [TypeError('t')])])",
            "f(**{'a': 1}, **{'b': 2}) if (\n  1 and\n  undefined) else 0",
            "import json\njson.loads('[1,')",
            "assert 1 == 2, 'not equal'",
            "a = lambda: (_ for _ in ()).throw(OSError(2, 'No such file', 'name'))\nnext(a())",
            "x = 'ä€' + 5 ; y = 1",
            "print(1, 2",
            "for x in range(3)\n    pass",
        ):
            with self.subTest(code), support.scratch_folder() as folder:
                path = f"{folder}/script.py"
                with open(path, "w", encoding="utf-8") as file:
                    file.write(code)
                real = subprocess.run([sys.executable, "-X", "utf8", "-I", path], capture_output=True, text=True).stderr
                self.assertEqual(run(code, filename=path).error["traceback"], real)


class Bounds(Case):
    def test_recursion_collapses(self):
        ran = self.raises("def f(): f()\nf()", "RecursionError")
        self.assertIn("[Previous line repeated", ran.error["traceback"])
        self.assertLess(len(ran.error["traceback"]), 1000)

    def test_depth_900_is_fine(self):
        self.assertEqual(self.value("def f(n): return n and 1 + f(n - 1)\nf(900)"), 900)

    def test_mutual_recursion_is_cut_in_the_middle(self):
        code = "".join(f"def f{n}(): f{(n + 1) % 7}()\n" for n in range(7)) + "f0()"
        text = self.raises(code, "RecursionError").error["traceback"]
        self.assertLessEqual(len(text), 33_000)
        self.assertIn("characters left out", text)
        self.assertTrue(text.startswith("Traceback") and "RecursionError: maximum" in text[-200:])

    def test_very_deep_traceback(self):
        code = "import sys\nsys.setrecursionlimit(60_000)\ndef f(n):\n    if n == 0: 1/0\n    g(n - 1)\ndef g(n):\n    f(n)\nf(20_000)"
        ran = self.raises(code, "ZeroDivisionError")
        self.assertEqual(ran.error["line"], 4)
        self.assertLess(ran.size, 60_000)

    def test_long_message(self):
        ran = self.raises("raise ValueError('x' * 10**7)", "ValueError")
        self.assertLess(ran.size, 64 * 1024)
        self.assertTrue(ran.error["message"].endswith("..."))

    def test_long_chain(self):
        ran = self.raises(
            "e = None\nfor i in range(5000):\n    n = ValueError(i)\n    n.__cause__ = e\n    e = n\nraise e",
            "ValueError",
        )
        self.assertLess(ran.size, 64 * 1024)
        self.assertIn("ValueError: 4999\n", ran.error["traceback"][-100:])

    def test_chain_in_a_ring(self):
        ran = self.raises("a, b = ValueError('a'), ValueError('b')\na.__cause__ = b\nb.__cause__ = a\nraise a", "ValueError")
        self.assertTrue(ran.error["traceback"].startswith("ValueError: b\n\nThe above exception was the direct cause"))

    def test_large_group(self):
        ran = self.raises("raise ExceptionGroup('g', [ValueError(i) for i in range(2000)])", "ExceptionGroup")
        self.assertIn("and 1985 more exceptions", ran.error["traceback"])

    def test_deep_group(self):
        ran = self.raises("e = ValueError(1)\nfor i in range(300): e = ExceptionGroup('g', [e])\nraise e")
        self.assertLess(ran.size, 64 * 1024)

    def test_control_characters(self):
        ran = self.raises("raise ValueError('\\x00\\x1b[31m' * 20_000)", "ValueError")
        self.assertLess(ran.size, 64 * 1024)

    def test_surrogates(self):
        ran = self.raises("raise ValueError('a\\ud800b')", "ValueError")
        self.assertEqual(ran.error["message"], "a\\ud800b")

    def test_memory_error(self):
        ran = self.raises("x = [0]\nraise MemoryError", "MemoryError")
        self.assertEqual(ran.error["line"], 2)


class Hostile(Case):
    """Exceptions that fight back."""

    def test_str_raises(self):
        ran = self.raises("class E(Exception):\n    def __str__(self): raise KeyboardInterrupt\nraise E", "E")
        self.assertEqual(ran.error["message"], "<exception str() failed: KeyboardInterrupt>")
        self.assertEqual(ran.error["line"], 3)

    def test_str_exits(self):
        self.raises("import sys\nclass E(Exception):\n    def __str__(self): sys.exit(0)\nraise E", "E")

    def test_str_returns_a_liar(self):
        ran = self.raises(
            "class S(str):\n    def __len__(s): return -5\n    def __getitem__(s, i): raise SystemExit\n    def __str__(s): return 7\nclass E(Exception):\n    def __str__(self): return S('text')\nraise E",
            "E",
        )
        self.assertEqual(ran.error["message"], "text")

    def test_attributes_raise(self):
        ran = self.raises(
            "class E(Exception):\n    def __getattribute__(self, n): raise SystemExit(3)\nraise E('m')", "E"
        )
        self.assertEqual(ran.error["line"], 3)
        self.assertIn('File "<code>", line 3, in <module>', ran.error["traceback"])

    def test_class_lies(self):
        self.raises("class E(Exception):\n    __class__ = property(lambda s: 1/0)\nraise E", "E")
        ran = run("class E(Exception):\n    __class__ = SystemExit\nraise E")
        self.assertIn(ran.exit, ("raised", "exited"))

    def test_module_is_no_string(self):
        self.assertEqual(self.raises("class E(Exception): pass\nE.__module__ = 5\nraise E", "E").error["module"], "")

    def test_metaclass(self):
        code = "class M(type):\n    def __getattribute__(c, n): raise SystemExit\n    def __instancecheck__(c, i): raise SystemExit\nclass E(Exception, metaclass=M): pass\nraise E('x')"
        self.raises(code, "E")

    def test_notes_of_any_kind(self):
        self.raises("e = ValueError()\ne.__notes__ = 5\nraise e", "ValueError")
        self.raises(
            "class N:\n    def __str__(s): raise SystemExit\ne = ValueError()\ne.__notes__ = [N()]\nraise e",
            "ValueError",
        )

    def test_traceback_module_broken(self):
        ran = self.raises(
            "import traceback, linecache\ntraceback.StackSummary = traceback.TracebackException.format = None\nlinecache.getlines = linecache.getline = linecache.cache = None\n1/0",
            "ZeroDivisionError",
        )
        self.assertIn('File "<code>", line 4', ran.error["traceback"])
        import importlib, linecache, traceback  # noqa: E401, I001

        importlib.reload(linecache)
        linecache.cache = __import__("prims_runtime._program")._program._cache
        importlib.reload(traceback)
        __import__("prims_runtime._error")._error.TracebackException = traceback.TracebackException

    def test_builtins_gone(self):
        ran = self.raises("import builtins\nd = vars(builtins)\nfor n in list(d): del d[n]\n1/0", "ZeroDivisionError")
        self.assertIn("    1/0\n    ~^~\n", ran.error["traceback"])

    def test_modules_gone(self):
        self.raises("import sys\nsys.modules.clear()\n1/0", "ZeroDivisionError")

    def test_forged_filename(self):
        code = "exec(compile('1/0', 'prims_runtime/x.py', 'exec'))"
        ran = run(code)
        self.assertEqual(ran.error["type"], "ZeroDivisionError")

    def test_recursion_in_str(self):
        self.raises("class E(Exception):\n    def __str__(self): return str(self)\nraise E", "E")

    def test_syntax_error_of_any_shape(self):
        for arguments in (
            "",
            "'m', 5",
            "'m', (1, 2, 3, 4)",
            "'m', ('f', 'x', [], {})",
            "'m', ('<code>', 10**30, 1, 'text')",
            "'m', ('<code>', -1, -5, None)",
        ):
            with self.subTest(arguments):
                ran = run(f"raise SyntaxError({arguments})")
                self.assertEqual(ran.exit, "raised")


if __name__ == "__main__":
    unittest.main()
