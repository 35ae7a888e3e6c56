"""Values as JSON."""

import unittest

from .support import Case, run


class Shapes(Case):
    def check(self, table, prelude=""):
        for code, expected in table.items():
            with self.subTest(code):
                found = self.value(prelude + code)
                self.assertEqual((found, type(found)), (expected, type(expected)))

    def test_scalars(self):
        self.check({"True": True, "1": 1, "-5": -5, "1.5": 1.5, "'ä'": "ä", "'\\x00\"'": '\x00"', "''": ""})

    def test_integers(self):
        self.check(
            {
                "2**53 + 1": 2**53 + 1,
                "2**64 - 1": 2**64 - 1,
                "2**64": str(2**64),
                "-2**63": -(2**63),
                "-2**63 - 1": str(-(2**63) - 1),
                "10**5000": "1" + "0" * 5000,
                "[10**20]": [str(10**20)],
            }
        )
        self.assertFalse(self.completes("1 << 10**6").has_json)

    def test_floats(self):
        self.check(
            {
                "float('nan')": "NaN",
                "float('inf')": "Infinity",
                "[-float('inf')]": ["-Infinity"],
                "1e308": 1e308,
                "-0.0": -0.0,
                "5e-324": 5e-324,
            }
        )

    def test_containers(self):
        self.check(
            {
                "[1, (2, 3), []]": [1, [2, 3], []],
                "{'a': {'b': None}}": {"a": {"b": None}},
                "{3, 1, 2}": [1, 2, 3],
                "frozenset('ab')": ["a", "b"],
                "range(3)": [0, 1, 2],
                "{'a': 1}.keys()": ["a"],
                "{'a': 1}.items()": [["a", 1]],
                "__import__('collections').deque([1])": [1],
                "__import__('collections').Counter('aa')": {"a": 2},
                "__import__('collections').OrderedDict(a=1)": {"a": 1},
                "__import__('collections').ChainMap({'a': 1}, {'b': 2})": {"a": 1, "b": 2},
                "__import__('collections').UserDict(a=1)": {"a": 1},
                "__import__('types').MappingProxyType({'a': 1})": {"a": 1},
                "__import__('types').SimpleNamespace(a=[1])": {"a": [1]},
            }
        )
        self.assertEqual(sorted(self.value("{1, 'a'}"), key=str), [1, "a"])

    def test_keys(self):
        self.check(
            {
                "{1: 1}": {"1": 1},
                "{1.5: 1}": {"1.5": 1},
                "{None: 1, True: 2}": {"null": 1, "true": 2},
                "{(1, 'a'): 1}": {"(1, 'a')": 1},
                "{__import__('datetime').date(2020, 1, 2): 1}": {"2020-01-02": 1},
                "{2**70: 1}": {str(2**70): 1},
                "{float('nan'): 1}": {"NaN": 1},
            }
        )
        self.assertFalse(self.completes("{1: 1, '1': 2}").has_json)
        self.assertFalse(self.completes("{object(): 1}").has_json)
        self.assertFalse(self.completes("{b'a': 1}").has_json)
        self.assertFalse(self.completes("{frozenset(): 1}").has_json)

    def test_times(self):
        self.check(
            {
                "datetime(2020, 1, 2, 3, 4, 5, 6)": "2020-01-02T03:04:05.000006",
                "datetime(2020, 1, 2, tzinfo=timezone.utc)": "2020-01-02T00:00:00+00:00",
                "date(2020, 1, 2)": "2020-01-02",
                "time(1, 2)": "01:02:00",
                "timedelta(1, 2, 3)": "P1DT2.000003S",
                "timedelta(hours=-1)": "-PT1H",
                "timedelta()": "PT0S",
                "timedelta(days=2)": "P2D",
                "timedelta(minutes=61, seconds=1.5)": "PT1H1M1.5S",
            },
            "from datetime import *\n",
        )

    def test_numbers_and_names(self):
        self.check(
            {
                "Decimal('1.10')": "1.10",
                "Decimal('NaN')": "NaN",
                "Fraction(1, 3)": "1/3",
                "2 + 3j": {"real": 2.0, "imag": 3.0},
                "UUID(int=5)": "00000000-0000-0000-0000-000000000005",
                "PurePosixPath('/a/b')": "/a/b",
                "Path('x')": "x",
                "ip_address('1.2.3.4')": "1.2.3.4",
            },
            "from decimal import *\nfrom fractions import *\nfrom uuid import *\nfrom pathlib import *\nfrom ipaddress import *\n",
        )

    def test_bytes(self):
        self.check(
            {
                "b'\\xff\\x00'": {"base64": "/wA="},
                "bytearray(b'a')": {"base64": "YQ=="},
                "memoryview(b'a')": {"base64": "YQ=="},
            }
        )

    def test_enums(self):
        self.check(
            {"C.RED": 1, "[S.A]": ["a"], "{C.RED: 1}": {"1": 1}, "I.X": 4, "F.A | F.B": 3},
            "from enum import *\nclass C(Enum): RED = 1\nclass S(StrEnum): A = 'a'\nclass I(IntEnum): X = 4\nclass F(Flag):\n    A = 1\n    B = 2\n",
        )

    def test_records(self):
        self.check(
            {
                "N(1, [2])": {"a": 1, "b": [2]},
                "T('x', 2)": {"x": "x", "y": 2},
                "D(1, T(1, 2))": {"p": 1, "q": {"x": 1, "y": 2}},
                "S(5)": {"v": 5},
            },
            "from collections import namedtuple\nfrom typing import NamedTuple\nfrom dataclasses import dataclass\nN = namedtuple('N', 'a b')\n"
            "class T(NamedTuple):\n    x: str\n    y: int = 0\n@dataclass\nclass D:\n    p: int\n    q: object\n@dataclass(slots=True, frozen=True)\nclass S:\n    v: int\n",
        )

    def test_subclasses(self):
        self.check(
            {
                "I(5)": 5,
                "Str('x')": "x",
                "[F(1.5)]": [1.5],
                "L([1])": [1],
                "D(a=1)": {"a": 1},
                "B(b'a')": {"base64": "YQ=="},
                "T((1,))": [1],
            },
            "class I(int):\n    def __repr__(s): return 'evil'\nclass Str(str):\n    def __str__(s): return 'evil'\nclass F(float): __repr__ = I.__repr__\n"
            "class L(list): pass\nclass D(dict): pass\nclass B(bytes): pass\nclass T(tuple): pass\n",
        )

    def test_surrogates_are_shown_escaped(self):
        self.check({"'a\\ud800'": "a\\ud800", "{'\\udfff': 1}": {"\\udfff": 1}})

    def test_has_none(self):
        for code in (
            "object()",
            "(x for x in [])",
            "lambda: 0",
            "int",
            "[1, object()]",
            "__import__('re').match('a', 'a')",
            "x = []\nx.append(x)\nx",
            "x = {}\nx['x'] = x\nx",
            "__import__('sys')",
        ):
            with self.subTest(code):
                ran = self.completes(code)
                self.assertEqual((ran.has_json, ran.json, ran.has_value), (False, None, True))

    def test_shared_is_no_cycle(self):
        self.check({"x = [1]\n[x, x, {'x': x}]": [[1], [1], {"x": [1]}]})

    def test_depth(self):
        self.assertTrue(self.completes("x = 1\nfor i in range(60): x = [x]\nx").has_json)
        self.assertFalse(self.completes("x = 1\nfor i in range(70): x = [x]\nx").has_json)

    def test_size(self):
        self.assertFalse(self.completes("list(range(200_000))").has_json)
        self.assertFalse(self.completes("['x' * 1000] * 1000", max_result_bytes=10_000).has_json)
        self.assertFalse(self.completes("'\\x00' * 4000", max_result_bytes=20_000).has_json)
        self.assertEqual(len(self.value("list(range(50_000))")), 50_000)

    def test_hostile_members(self):
        for code in (
            "class L(list):\n    def __getitem__(s, i): raise SystemExit\n    def __iter__(s): raise SystemExit\nL([1])",
            "class E(__import__('enum').Enum):\n    A = 1\n    value = property(lambda s: exit(1))\nE.A",
            "import datetime\nclass D(datetime.date):\n    def isoformat(s): raise SystemExit\nD(2020, 1, 1)",
            "class K:\n    def __lt__(s, o): raise SystemExit\n{K(), K()}",
        ):
            with self.subTest(code):
                self.assertEqual(run(code).exit, "completed")

    def test_iso_format_that_lies(self):
        ran = run("import datetime\nclass D(datetime.date):\n    def isoformat(s): return object()\nD(2020, 1, 1)")
        self.assertEqual((ran.exit, ran.has_json), ("completed", False))

    def test_generated_field_that_raises(self):
        ran = run("from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\np = P(1)\ndel p.x\np")
        self.assertEqual((ran.exit, ran.has_json), ("completed", False))


class Numpy(Case):
    @classmethod
    def setUpClass(cls):
        try:
            import numpy  # noqa: F401
        except ImportError:
            raise unittest.SkipTest("numpy is not installed") from None

    def test_values(self):
        for code, expected in {
            "np.int64(5)": 5, "np.float32(1.5)": 1.5, "np.bool_(True)": True, "np.float64('nan')": "NaN", "np.str_('a')": "a", "np.array([1, 2])": [1, 2],
            "np.eye(2)": [[1.0, 0.0], [0.0, 1.0]], "np.array([np.inf])": ["Infinity"], "np.datetime64('2020-01-02')": "2020-01-02",
            "np.array(['2020-01-02'], dtype='M8[D]')": ["2020-01-02"], "{'m': np.mean([1, 2])}": {"m": 1.5}, "np.complex128(1j)": {"real": 0.0, "imag": 1.0},
            "np.array(5)": 5, "np.longdouble(1.5)": 1.5, "{np.int64(1): 2}": {"1": 2}, "np.bytes_(b'a')": {"base64": "YQ=="},
        }.items():  # fmt: skip
            with self.subTest(code):
                self.assertEqual(self.value("import numpy as np\n" + code), expected)

    def test_large_array(self):
        ran = self.completes("import numpy as np\nnp.zeros(10**6)")
        self.assertFalse(ran.has_json)
        self.assertEqual(ran.repr, "array([0., 0., 0., ..., 0., 0., 0.], shape=(1000000,))")


if __name__ == "__main__":
    unittest.main()
