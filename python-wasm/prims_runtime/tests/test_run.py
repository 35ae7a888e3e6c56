"""What a program sees, and how its end is reported."""

import json
import os
import sys
import unittest

from . import support
from .support import Case, run


class Values(Case):
    def test_last_expression_is_the_value(self):
        ran = self.completes("x = 20\nx + 1")
        self.assertEqual(
            (ran.has_value, ran.repr, ran.json, ran.has_json, ran.repr_truncated), (True, "21", 21, True, False)
        )

    def test_trailing_semicolon_changes_nothing(self):
        self.assertEqual(self.value("1 + 1;"), 2)

    def test_statement_at_the_end_gives_no_value(self):
        ran = self.completes("1\nx = 2")
        self.assertFalse(ran.has_value)

    def test_none_is_no_value(self):
        self.assertFalse(self.completes("None").has_value)
        self.assertFalse(self.completes("print()").has_value)

    def test_only_the_last_expression_counts(self):
        self.assertEqual(self.value("1; 2; 3"), 3)

    def test_expression_within_a_block_does_not_count(self):
        self.assertFalse(self.completes("if True:\n    5").has_value)

    def test_multiline_expression(self):
        self.assertEqual(self.value("a = 1\n(a +\n\n 2)\n\n# end"), 3)

    def test_string_alone_is_a_value_not_a_docstring(self):
        self.assertEqual(self.value("'hello'"), "hello")

    def test_docstring_stays_a_docstring(self):
        self.assertEqual(self.value("'''doc'''\n__doc__"), "doc")

    def test_no_name_is_left_behind(self):
        self.assertEqual(self.value("[n for n in globals() if '<' in n]"), [])

    def test_walrus_star_and_lambda(self):
        self.assertEqual(self.value("(y := 5, *range(2))"), [5, 0, 1])
        self.assertTrue(self.completes("lambda: 0").has_value)

    def test_yield_outside_is_a_syntax_error(self):
        self.raises("yield 1", "SyntaxError")

    def test_future_import(self):
        self.assertEqual(
            self.value("from __future__ import annotations\ndef f(x: nowhere): pass\nf.__annotations__"),
            {"x": "nowhere"},
        )


    def test_coroutine(self):
        ran = self.completes("async def later(): return 1\nlater()")
        self.assertTrue(ran.repr.startswith("<coroutine object later at "))
        self.assertEqual((ran.has_json, ran.err.count("coroutine 'later' was never awaited")), (False, 1))
        self.assertNotIn("prims_runtime", ran.err)
        ran = self.completes("async def f(): pass\nc = f()\ntry: c.send(None)\nexcept StopIteration: pass\nc")
        self.assertEqual(ran.err, "")


class Sources(Case):
    def test_empty(self):
        for code in ("", "\n\n", "# only a comment", "   ", "\t# x", "\f"):
            with self.subTest(code):
                self.assertFalse(self.completes(code).has_value)

    def test_byte_order_mark(self):
        self.assertEqual(self.value("\ufeff1 + 1"), 2)
        self.assertIn("1 / 0", self.raises("\ufeff1 / 0").error["traceback"])

    def test_line_endings(self):
        self.assertEqual(self.value("x = 1\r\ny = 2\r\nx + y\r\n"), 3)
        self.assertEqual(self.value("x = 1\ry = 2\rx + y"), 3)
        self.assertEqual(self.raises("x = 1\r\n\r\n1 / 0\r\n").error["line"], 3)

    def test_null_byte(self):
        self.assertIn("null byte", self.raises("1\0", "SyntaxError").error["message"])

    def test_lone_surrogate(self):
        ran = run("x = 1\ny = '\ud800'")
        self.assertEqual((ran.error["type"], ran.error["line"]), ("SyntaxError", 2))

    def test_form_feed(self):
        self.assertEqual(self.raises("x = 1\n\f\ny = '\u2028'\n1 / 0").error["line"], 4)
        self.assertIn("    1 / 0\n", self.raises("x = 1\n\f\ny = '\u2028'\n1 / 0").error["traceback"])

    def test_encoding_cookie_is_ignored(self):
        self.assertEqual(self.value("# -*- coding: latin-1 -*-\n'\u00e9\u20ac'"), "\u00e9\u20ac")

    def test_unicode_identifiers(self):
        self.assertEqual(self.value("größe = 3\ngröße"), 3)

    def test_indentation_error(self):
        ran = self.raises("def f():\nreturn 1", "IndentationError")
        self.assertEqual(ran.error["line"], 2)

    def test_tab_error(self):
        self.raises("if 1:\n\tx = 1\n        y = 2", "TabError")

    def test_very_long_line(self):
        self.assertEqual(self.value("+".join(["1"] * 300)), 300)
        self.assertEqual(self.value("x = '" + "a" * 200_000 + "'\nlen(x)"), 200_000)

    def test_deep_nesting_is_an_error_not_an_abort(self):
        for code in ("(" * 5000 + ")" * 5000, "-" * 100_000 + "1", "[" * 300 + "]" * 300, "+".join(["1"] * 50_000)):
            with self.subTest(code[:2]):
                ran = run(code)
                self.assertIn(ran.exit, ("raised", "completed"))

    def test_long_elif_chain(self):
        code = "x = 1\nif x == 0: pass\n" + "\n".join(f"elif x == {n}: y = {n}" for n in range(1, 90)) + "\ny"
        self.assertEqual(self.value(code), 1)


class Main(Case):
    def test_is_a_real_module(self):
        self.assertEqual(
            self.value(
                "import sys, __main__\nx = 1\n[__name__, sys.modules['__main__'] is __main__, __main__.x, __main__.__dict__ is globals()]"
            ),
            ["__main__", True, 1, True],
        )

    def test_name_guard(self):
        self.assertEqual(self.completes("if __name__ == '__main__':\n    print('main')").out, "main\n")

    def test_is_fresh(self):
        run("leak = 1")
        self.raises("leak", "NameError")

    def test_no_file_for_plain_code(self):
        self.raises("__file__", "NameError")

    def test_file_of_a_script(self):
        self.assertEqual(self.value("__file__", filename="script.py"), "/workspace/script.py")
        self.assertIn(
            'File "/workspace/script.py", line 1', self.raises("1/0", filename="script.py").error["traceback"]
        )

    def test_pickle_of_own_classes(self):
        self.assertEqual(
            self.value(
                "import pickle\nclass P:\n    def __init__(self, x): self.x = x\npickle.loads(pickle.dumps(P(3))).x"
            ),
            3,
        )

    def test_dataclass_with_postponed_annotations(self):
        self.assertEqual(
            self.value(
                "from __future__ import annotations\nfrom dataclasses import dataclass, field\nfrom typing import ClassVar\n"
                "@dataclass\nclass P:\n    x: int\n    k: ClassVar[int] = 0\n    l: list[int] = field(default_factory=list)\nP(1)"
            ),
            {"x": 1, "l": []},
        )

    def test_get_type_hints(self):
        self.assertEqual(
            self.value(
                "import typing\nclass A:\n    x: 'A'\n    y: 'list[int]'\n[str(v) for v in typing.get_type_hints(A).values()]"
            ),
            ["<class '__main__.A'>", "list[int]"],
        )

    def test_class_repr_says_main(self):
        self.assertEqual(self.text("class A: pass\nA"), "<class '__main__.A'>")

    def test_module_annotations(self):
        self.assertEqual(self.value("x: int = 3\nlist(__annotations__)"), ["x"])

    def test_getsource(self):
        self.assertEqual(
            self.value("import inspect\ndef f():\n    return 1\ninspect.getsource(f)"), "def f():\n    return 1\n"
        )

    def test_globals_given(self):
        self.assertEqual(self.value("a + b", globals={"a": 1, "b": 2}), 3)

    def test_multiple_inheritance_metaclass_and_match(self):
        self.assertEqual(
            self.value("match {'k': [1, 2]}:\n    case {'k': [a, *rest]}:\n        r = a, rest\nr"), [1, [2]]
        )

    def test_import_of_main(self):
        self.assertEqual(self.value("x = 4\ndef f():\n    from __main__ import x\n    return x\nf()"), 4)

    def test_timeit_and_exec(self):
        self.assertEqual(self.value("exec('z = 1')\nz"), 1)
        self.assertEqual(self.value("import timeit\ntimeit.timeit('pass', number=1) >= 0"), True)

    def test_doctest(self):
        code = "def f():\n    '''\n    >>> f()\n    1\n    '''\n    return 1\nimport doctest\ntuple(doctest.testmod())"
        self.assertEqual(self.value(code), [0, 1])

    def test_unittest(self):
        code = (
            "import unittest\nclass T(unittest.TestCase):\n    def test_x(self): self.assertEqual(1, 1)\n"
            "unittest.main(argv=['x'], exit=False).result.wasSuccessful()"
        )
        self.assertIs(self.value(code), True)


class Continued(Case):
    def test_names_survive(self):
        run("import math\nx = 1\ndef f(): return x + 1\nclass P: pass", session=True)
        self.assertEqual(self.value("x = 5\n[f(), math.floor(2.5)]", session=True), [6, 2])
        self.assertEqual(
            self.value("import pickle\npickle.loads(pickle.dumps(P())).__class__ is P", session=True), True
        )
        self.raises("x", "NameError")

    def test_first_run_may_say_so(self):
        from prims_runtime import _run

        _run._main = None
        self.assertEqual(self.value("[n for n in globals() if n[0] != '_']", session=True), [])

    def test_after_an_error(self):
        run("kept = 1\n1 / 0\nlost = 2", session=True)
        self.assertEqual(self.value("[kept, 'lost' in globals()]", session=True), [1, False])

    def test_each_part_has_its_source(self):
        run("def f():\n    return 1 / 0", filename="<1>", session=True)
        text = self.raises("f()", filename="<2>", session=True).error["traceback"]
        self.assertIn('File "<2>", line 1, in <module>\n    f()', text)
        self.assertIn('File "<1>", line 2, in f\n    return 1 / 0', text)


class Surroundings(Case):
    def test_argv(self):
        self.assertEqual(self.value("import sys; sys.argv", argv=["a", "b"]), ["a", "b"])
        self.assertEqual(self.value("import sys; sys.argv"), ["-c"])
        self.assertEqual(self.value("import sys; sys.argv", argv=[], filename="s.py"), ["/workspace/s.py"])

    def test_environment(self):
        found = self.value("import os; dict(os.environ)", env={"KEY": "välue"})
        self.assertEqual(found["KEY"], "välue")
        self.assertEqual((found["HOME"], found["TMPDIR"], found["LANG"]), ("/workspace", "/tmp", "C.UTF-8"))
        self.assertEqual(len(found), len(prims_environment()) + 1)

    def test_environment_is_replaced(self):
        self.assertIs(self.value("import os; os.environ['LEAK'] = '1'; 'LEAK' in os.environ"), True)
        self.assertIs(self.value("import os; 'LEAK' in os.environ"), False)

    def test_odd_environment_names(self):
        self.assertEqual(
            self.value("import os; os.environ.get('good')", env={"": "x", "a=b": "x", "nul": "a\0b", "good": "1"}), "1"
        )

    def test_environment_may_override(self):
        self.assertEqual(self.value("import os; os.path.expanduser('~')", env={"HOME": "/tmp"}), "/tmp")

    def test_temporary_folder_follows_the_environment(self):
        folder = "/workspace" if support.IN_GUEST else os.path.dirname(support.HERE)
        self.assertEqual(self.value("import tempfile; tempfile.gettempdir()", env={"TMPDIR": folder}), folder)

    def test_exit_and_quit_exist(self):
        self.exits("import builtins\nraise SystemExit(getattr(builtins, 'exit') and 4)", 4)


def prims_environment():
    from prims_runtime import _sandbox

    return _sandbox.BASE_ENVIRONMENT


class Exits(Case):
    def test_status(self):
        for given, status in (
            ("", 0),
            ("None", 0),
            ("0", 0),
            ("3", 3),
            ("True", 1),
            ("False", 0),
            ("256", 0),
            ("257", 1),
            ("-1", 255),
            ("2**80", 255),
        ):
            with self.subTest(given):
                ran = self.exits(f"import sys; sys.exit({given})", status)
                self.assertIsNone(ran.message)
                self.assertEqual(ran.err, "")

    def test_message(self):
        ran = self.exits("import sys; sys.exit('gone')", 1)
        self.assertEqual((ran.err, ran.message), ("gone\n", "gone"))

    def test_other_objects_are_printed(self):
        self.assertEqual(self.exits("raise SystemExit(1.5)", 1).err, "1.5\n")
        self.assertEqual(self.exits("raise SystemExit(1, 2)", 1).err, "(1, 2)\n")
        self.assertEqual(self.exits("raise SystemExit([])", 1).message, "[]")

    def test_within_functions_and_finally(self):
        self.assertEqual(
            self.exits("import sys\ntry:\n    sys.exit(2)\nfinally:\n    print('cleaned')", 2).out, "cleaned\n"
        )

    def test_caught(self):
        self.assertEqual(
            self.value(
                "try:\n    exit_code = 0\n    raise SystemExit(5)\nexcept SystemExit as e:\n    exit_code = e.code\nexit_code"
            ),
            5,
        )

    def test_in_a_task(self):
        self.exits("import asyncio, sys\nasync def f(): sys.exit(7)\nasyncio.run(f())", 7)
        self.exits("import asyncio, sys\nasync def f(): sys.exit(7)\nawait asyncio.create_task(f())", 7)
        self.exits("import sys\nsys.exit(await __import__('asyncio').sleep(0, 9))", 9)

    def test_hostile(self):
        self.exits("class E(SystemExit):\n    code = property(lambda s: 1/0)\nraise E(3)", 1)
        self.exits("class C:\n    def __str__(s): raise KeyboardInterrupt\nraise SystemExit(C())", 1)
        self.exits("class I(int):\n    __and__ = None\nraise SystemExit(I(5))", 5)

    def test_subclass(self):
        self.exits("class E(SystemExit): pass\nraise E(6)", 6)

    def test_long_message(self):
        ran = self.exits("raise SystemExit('x' * 10**6)", 1)
        self.assertLess(ran.size, 20_000)
        self.assertEqual(len(ran.err), 10**6 + 1)

    def test_atexit(self):
        self.assertEqual(self.completes("import atexit; atexit.register(print, 'bye'); print('hi')").out, "hi\nbye\n")
        self.assertEqual(self.exits("import atexit, sys; atexit.register(print, 'bye'); sys.exit(1)", 1).out, "bye\n")
        self.assertEqual(self.raises("import atexit; atexit.register(print, 'bye'); 1/0").out, "bye\n")

    def test_atexit_that_raises(self):
        ran = self.completes("import atexit\natexit.register(lambda: 1/0)\natexit.register(print, 'still')\n5")
        self.assertEqual((ran.json, ran.out), (5, "still\n"))
        self.assertIn("ZeroDivisionError", ran.err)

    def test_atexit_that_exits(self):
        self.assertEqual(self.completes("import atexit, sys\natexit.register(sys.exit, 3)\n5").json, 5)


class Hooks(Case):
    def test_unraisable(self):
        ran = self.completes("class A:\n    def __del__(self): 1/0\na = A()\ndel a\n1")
        self.assertIn("ZeroDivisionError", ran.err)

    def test_excepthook_is_called(self):
        ran = self.raises(
            "import sys\nsys.excepthook = lambda kind, error, tb: print('hook', kind.__name__, tb.tb_lineno)\n1/0"
        )
        self.assertEqual(ran.out, "hook ZeroDivisionError 3\n")

    def test_excepthook_that_raises(self):
        self.raises("import sys\nsys.excepthook = lambda *a: sys.exit(1)\n1/0", "ZeroDivisionError")

    def test_warnings_go_to_stderr(self):
        ran = self.completes("import warnings\nwarnings.warn('careful')\n1")
        self.assertIn("<code>:2: UserWarning: careful\n  warnings.warn('careful')", ran.err)

    def test_syntax_warnings_come_once(self):
        ran = self.completes("x = '\\d'\ny = x is 'a'\n1")
        self.assertEqual(ran.err.count("invalid escape sequence"), 1, ran.err)
        self.assertEqual(ran.err.count('"is" with'), 1, ran.err)
        self.assertIn("<code>:1: SyntaxWarning", ran.err)

    def test_trace_functions_do_not_reach_the_runtime(self):
        ran = self.completes(
            "import sys\ndef t(*a): raise KeyboardInterrupt\nsys.setprofile(lambda *a: None)\nsys.settrace(lambda *a: None)\n1"
        )
        self.assertEqual(ran.json, 1)
        self.assertIsNone(sys.gettrace())


class OpenFiles(Case):
    """Written, never closed, and still referenced at the end."""

    def test_what_was_written_arrives(self):
        for ending in ("", "5", "1/0", "raise SystemExit(3)"):
            with self.subTest(ending), support.scratch_folder() as folder:
                run(
                    f"t = open({folder!r} + '/t', 'w')\nt.write('text')\nb = open({folder!r} + '/b', 'wb')\nb.write(b'bytes')\n"
                    f"u = open({folder!r} + '/u', 'w+b')\nu.write(b'both')\n{ending}"
                )
                found = {}
                for name in "tbu":
                    with open(f"{folder}/{name}") as file:
                        found[name] = file.read()
                self.assertEqual(found, {"t": "text", "b": "bytes", "u": "both"})

    def test_closed_and_detached(self):
        with support.scratch_folder() as folder:
            ran = self.completes(
                f"f = open({folder!r} + '/f', 'w')\nf.write('x')\nd = f.detach()\ng = open({folder!r} + '/g', 'w')\ng.close()\n1"
            )
            self.assertEqual((ran.json, ran.err), (1, ""))

    def test_a_failure_is_told(self):
        code = """
import io
class Full(io.RawIOBase):
    def writable(self): return True
    fails = [OSError(28, "no space")]
    def write(self, data):
        if self.fails: raise self.fails.pop()
        return len(data)
kept = open(%r, "w")
file = io.BufferedWriter(Full())
file.write(b"x")
"""
        with support.scratch_folder() as folder:
            ran = self.completes(code % (folder + "/f"))
        self.assertIn("Exception ignored while flushing <_io.BufferedWriter", ran.err)
        self.assertIn("no space", ran.err)


class Protocol(Case):
    def test_unknown_op(self):
        with self.assertRaises(ValueError):
            support.prims_runtime.handle(b'{"op":"dance"}')

    def test_reply_keys(self):
        self.assertEqual(set(run("1").reply), {"exit", "has_value", "repr", "repr_truncated", "json", "has_json"})
        self.assertEqual(set(run("x=1").reply), {"exit", "has_value", "repr", "repr_truncated", "json", "has_json"})
        self.assertEqual(set(run("1/0").error), {"type", "module", "message", "traceback", "line"})
        self.assertEqual(set(run("raise SystemExit").reply), {"exit", "code", "message"})

    def test_minimal_request(self):
        self.assertEqual(json.loads(support.run("2").reply["repr"]), 2)


if __name__ == "__main__":
    unittest.main()
