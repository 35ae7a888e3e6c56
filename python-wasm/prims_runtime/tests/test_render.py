"""The repr of values: exact where it can be, bounded always."""

import time
import unittest

from .support import Case, run

SMALL = 20_000


class Exact(Case):
    def test_same_as_repr(self):
        for code in (
            "1", "-1", "True", "1.5", "2j", "'it\\'s'", "b'\\x00'", "[]", "()", "(1,)", "set()", "{1}", "frozenset({1})", "frozenset()", "{}", "{'a': [1, {}]}",
            "range(5)", "...", "NotImplemented", "int", "len", "[1, [2, [3]]]", "bytearray(b'x')", "float('nan')", "slice(1, 2)",
            "__import__('collections').deque([1], 3)", "__import__('collections').OrderedDict(a=1)", "__import__('collections').defaultdict(list, a=[1])",
            "__import__('collections').Counter('aab')", "__import__('datetime').date(2020, 1, 2)", "__import__('decimal').Decimal('1.10')",
            "__import__('fractions').Fraction(1, 3)", "__import__('array').array('i', [1, 2])", "{}.keys()", "{1: 2}.items()", "memoryview(b'').__class__",
            "2**70", "'ä€\\U0001f600'", "'\\x00\\x1b\\u2028'", "[float('inf')]", "Exception('x')", "__import__('types').SimpleNamespace(a=1)",
        ):  # fmt: skip
            with self.subTest(code):
                ran = self.completes(code)
                self.assertEqual((ran.repr, ran.repr_truncated), (repr(eval(code)), False))

    def test_own_repr(self):
        self.assertEqual(self.text("class A:\n    def __repr__(self): return 'an A\\n'\nA()"), "an A\n")

    def test_recursive_containers(self):
        self.assertEqual(self.text("x = [1]\nx.append(x)\nx"), "[1, [...]]")
        self.assertEqual(self.text("x = {}\nx['x'] = x\nx"), "{'x': {...}}")

    def test_dataclass_and_named_tuple(self):
        code = "from dataclasses import dataclass\nfrom collections import namedtuple\n@dataclass\nclass P:\n    x: int\n    y: list\nN = namedtuple('N', 'a b')\n(P(1, [2]), N(3, 4))"
        self.assertEqual(self.text(code), "(P(x=1, y=[2]), N(a=3, b=4))")

    def test_generator_is_not_consumed(self):
        ran = self.completes("def g():\n    print('ran')\n    yield 1\ng()")
        self.assertEqual((ran.out, ran.has_json), ("", False))
        self.assertIn("<generator object g at 0x", ran.repr)

    def test_repr_may_print(self):
        self.assertEqual(
            self.completes("class A:\n    def __repr__(self):\n        print('shown')\n        return 'A'\nA()").out,
            "shown\n",
        )


class Bounded(Case):
    def bounded(self, code, start="", limit=SMALL):
        began = time.monotonic()
        ran = self.completes(code, max_result_bytes=limit)
        self.assertLess(time.monotonic() - began, 20)
        self.assertTrue(ran.repr_truncated)
        self.assertLess(ran.size, limit + 1024)
        self.assertEqual(ran.repr[: len(start)], start)
        return ran

    def test_long_text(self):
        self.bounded("'x' * 10**8", "'xxxx")
        self.bounded("b'x' * 10**8", "b'xxxx")
        self.bounded("bytearray(10**8)", "bytearray(b'\\x00")

    def test_long_list(self):
        self.bounded("[1] * 10**7", "[1, 1, 1")
        self.bounded("list(range(10**6))", "[0, 1, 2")
        self.bounded("(0,) * 10**7", "(0, 0")

    def test_other_containers(self):
        self.bounded("dict.fromkeys(range(10**6))", "{0: None, 1: None")
        self.bounded("set(range(10**6))", "{0, 1")
        self.bounded("frozenset(range(10**6))", "frozenset({0, 1")
        self.bounded("from collections import *\ndeque(range(10**6))", "deque([0, 1")
        self.bounded(
            "from collections import *\ndeque(range(10**6)).__class__ and OrderedDict.fromkeys(range(10**6), 1)",
            "OrderedDict({0: 1",
        )
        self.bounded("from collections import *\nCounter(range(10**5))", "Counter({0: 1")
        self.bounded(
            "from collections import *\ndefaultdict(int, dict.fromkeys(range(10**5)))",
            "defaultdict(<class 'int'>, {0: None",
        )
        self.bounded("dict.fromkeys(range(10**6)).keys()", "dict_keys([0, 1")

    def test_shared_parts(self):
        self.bounded("x = [1] * 10\nfor i in range(30): x = [x] * 10\nx", "[[[")
        self.bounded("x = 'a' * 10**6\n[x] * 10**6", "['aaa")

    def test_within_a_dataclass(self):
        self.bounded(
            "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: list\nP([1] * 10**7)", "P(x=[1, 1"
        )

    def test_deep(self):
        for code in (
            "x = []\nfor i in range(200_000): x = [x]\nx",
            "x = ()\nfor i in range(200_000): x = (x,)\nx",
            "x = {}\nfor i in range(100_000): x = {1: x}\nx",
        ):
            with self.subTest(code):
                ran = self.bounded(code)
                self.assertIn("...", ran.repr)
                self.assertFalse(ran.has_json)

    def test_deep_in_objects(self):
        ran = run(
            "class A:\n    def __init__(s, x): s.x = x\n    def __repr__(s): return f'A({s.x!r})'\nx = 0\nfor i in range(100_000): x = A(x)\nx"
        )
        self.assertEqual((ran.exit, ran.repr), ("completed", "<A object; its repr() raised RecursionError>"))

    def test_numbers(self):
        self.assertEqual(self.text("10**5000"), "1" + "0" * 5000)
        self.assertEqual(self.completes("1 << 10**7").repr, "<int of 10000001 bits>")
        self.assertEqual(self.text("[10**5000]"), "[1" + "0" * 5000 + "]")

    def test_digits_limit_is_as_before(self):
        self.raises("str(10**5000)", "ValueError")

    def test_escapes_count(self):
        for character in ("\\x00", "\\\\", "\u20ac", "\\U0001f600", "\\ud800"):
            with self.subTest(character):
                ran = run(f"class A:\n    def __repr__(s): return '{character}' * 10**6\nA()", max_result_bytes=SMALL)
                self.assertLess(ran.size, SMALL)
                self.assertGreater(ran.size, SMALL // 4)

    def test_tiny_bound(self):
        for limit in (1, 10, 300):
            self.assertLess(run("'x' * 1000", max_result_bytes=limit).size, 2048)

    def test_whole_reply(self):
        for code in ("list(range(100_000))", "'\\n' * 10**6", "[['\\x00' * 50] * 50] * 50"):
            for limit in (1000, 50_000, 1 << 20):
                with self.subTest(code, limit=limit):
                    self.assertLess(run(code, max_result_bytes=limit).size, limit + 65536)


class Hostile(Case):
    def test_repr_raises(self):
        for raised in (
            "ValueError",
            "SystemExit",
            "KeyboardInterrupt",
            "RecursionError",
            "MemoryError",
            "GeneratorExit",
        ):
            ran = self.completes(f"class A:\n    def __repr__(self): raise {raised}\nA()")
            self.assertEqual(
                (ran.repr, ran.has_value, ran.has_json), (f"<A object; its repr() raised {raised}>", True, False)
            )

    def test_repr_of_an_item_raises(self):
        self.assertIn("raised SystemExit", self.text("class A:\n    def __repr__(self): raise SystemExit\n[1, A()]"))

    def test_repr_gives_no_string(self):
        self.assertIn("raised TypeError", self.text("class A:\n    def __repr__(self): return 5\nA()"))

    def test_repr_gives_a_liar(self):
        code = "class S(str):\n    def __len__(s): return -1\n    def __getitem__(s, k): raise SystemExit\n    def encode(s, *a): raise SystemExit\n    def isascii(s): raise SystemExit\nclass A:\n    def __repr__(s): return S('fine')\nA()"
        self.assertEqual(self.text(code), "fine")

    def test_class_lies(self):
        for lie in ("int", "dict", "property(lambda s: 1/0)", "None"):
            ran = self.completes(f"class A:\n    __class__ = {lie}\n    def __repr__(s): return 'A'\n[A()]")
            self.assertEqual((ran.repr, ran.has_json), ("[A]", False))

    def test_everything_raises(self):
        code = "class M(type):\n    def __getattribute__(c, n): raise SystemExit\n    def __eq__(c, o): raise SystemExit\n    def __hash__(c): raise SystemExit\nclass A(metaclass=M):\n    def __getattribute__(s, n): raise SystemExit\n    def __eq__(s, o): raise SystemExit\n    __hash__ = None\nA()"
        ran = run(code)
        self.assertEqual((ran.exit, ran.has_value, ran.has_json), ("completed", True, False))

    def test_subclasses_of_containers(self):
        code = "class L(list):\n    def __iter__(s): raise SystemExit\n    def __len__(s): return -3\n    def __repr__(s): return 'L'\nclass D(dict):\n    def items(s): raise SystemExit\n    def __repr__(s): return 'D'\n[L([1]), D(a=1)]"
        ran = self.completes(code)
        self.assertEqual((ran.repr, ran.json), ("[L, D]", [[1], {"a": 1}]))

    def test_keys_that_change_their_mind(self):
        code = "class K:\n    n = 0\n    def __hash__(s):\n        K.n += 1\n        return K.n\n    def __eq__(s, o): raise SystemExit\n    def __repr__(s): return 'K'\n{K(): 1}"
        self.assertEqual(self.text(code), "{K: 1}")

    def test_container_changed_by_its_repr(self):
        ran = self.completes(
            "x = [1, 2]\nclass A:\n    def __repr__(s):\n        x.clear()\n        return 'A'\nx[:] = [A(), 3, 4]\nx"
        )
        self.assertTrue(ran.has_value)

    def test_equality_is_not_asked(self):
        self.assertFalse(
            self.completes(
                "class A:\n    def __eq__(s, o): raise SystemExit\n    __repr__ = lambda s: 'A'\nA()"
            ).has_json
        )


class Rich(Case):
    def test_forms(self):
        ran = self.completes("class A:\n    def _repr_html_(self): return '<b>ä</b>'\nA()")
        self.assertEqual(ran.rich, {"mime": "text/html", "data": "<b>ä</b>"})
        ran = self.completes(
            "class A:\n    def _repr_html_(self): return 'h'\n    def _repr_png_(self): return b'png'\nA()"
        )
        self.assertEqual(ran.rich, {"mime": "image/png", "data": "cG5n"})

    def test_none_raising_and_odd_forms(self):
        for body in ("return None", "raise SystemExit", "return 5", "return 'x' * 10**7"):
            ran = self.completes(f"class A:\n    def _repr_html_(self): {body}\nA()")
            self.assertNotIn("rich", ran.reply)

    def test_bound(self):
        ran = self.completes("class A:\n    def _repr_html_(self): return '\\0' * 9000\nA()", max_result_bytes=10_000)
        self.assertLess(ran.size, 10_000)

    def test_figure(self):
        code = "class Figure:\n    __module__ = 'matplotlib.figure'\n    def savefig(self, file, **how): file.write(b'png')\nFigure()"
        self.assertEqual(self.completes(code).rich, {"mime": "image/png", "data": "cG5n"})

    def test_class_itself_is_not_rich(self):
        self.assertNotIn("rich", self.completes("class A:\n    def _repr_html_(self): return 'h'\nA").reply)


if __name__ == "__main__":
    unittest.main()
