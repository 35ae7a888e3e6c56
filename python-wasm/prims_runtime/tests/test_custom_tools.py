"""Custom tools: what is said about them, and how they are called."""

import json
import os
import unittest

from prims_runtime import _tool_types, custom_tools

from . import tool_types
from .support import HERE, Case

COOL = '''
import typing
import typing as banana
from typing import Optional
from typing import Union as Onion

def my_tool(a: int, b: typing.Tuple[Optional[str], str] = ("hello", "world"), *, c: Onion[list[str], dict[str, banana.Optional[float]]]) -> int:
    """
    This tool is really really cool.
    Very toolish experience:
    - Toolable.
    - Toolicious.
    :param a: something cool
    (very cool indeed)
    :param b: something nice
    :return: something great
    :param c: something awful
    """
    return 1 + 1
'''


class Types(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        with open(os.path.join(HERE, "tool_types.json")) as file:
            self.table = json.load(file)

    def form(self, text):
        return _tool_types.form(eval(text, tool_types.namespace()))

    def test_schemas_are_those_of_pydantic(self):
        self.assertGreater(len(self.table), 60)
        for text, row in self.table.items():
            with self.subTest(text):
                if row is None:
                    self.assertRaises(Exception, lambda: self.form(text))
                else:
                    self.assertEqual(json.dumps(self.form(text).schema()), json.dumps(row["schema"]))

    def test_values_are_those_of_pydantic(self):
        count = 0
        for text, row in self.table.items():
            for given, expected in (row or {"read": {}})["read"].items():
                try:
                    found = tool_types.shown(self.form(text).read(json.loads(given))[0])
                except _tool_types.Problems as problems:
                    found = [[problem.kind, *map(str, problem.place)] for problem in problems.args[0]]
                if isinstance(expected, list) and "Iterable" in text:
                    found = found[:1]  # it stops at the first
                with self.subTest(type=text, input=given):
                    self.assertEqual(found, expected)
                    count += 1
        self.assertGreater(count, 2000)


class Parse(unittest.TestCase):
    maxDiff = None

    def schema(self, source):
        return json.loads(custom_tools.parse(source)["tool_input_schema_json"])

    def errors(self, source):
        return custom_tools.parse(source)["error_messages"]

    def test_a_tool_is_described(self):
        parsed = custom_tools.parse(COOL)
        self.assertEqual(parsed["tool_name"], "my_tool")
        self.assertEqual(
            parsed["tool_description"],
            "This tool is really really cool.\nVery toolish experience:\n- Toolable.\n- Toolicious.\n\n"
            "Returns: int -- something great",
        )
        optional = {"anyOf": [{"type": "string"}, {"type": "null"}]}
        numbers = {"type": "object", "additionalProperties": {"anyOf": [{"type": "number"}, {"type": "null"}]}}
        self.assertEqual(
            json.loads(parsed["tool_input_schema_json"]),
            {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "type": "object",
                "title": "my_tool",
                "properties": {
                    "a": {"type": "integer", "description": "something cool\n(very cool indeed)"},
                    "b": {
                        "type": "array",
                        "minItems": 2,
                        "items": [optional, {"type": "string"}],
                        "additionalItems": False,
                        "description": "something nice",
                    },
                    "c": {
                        "anyOf": [{"type": "array", "items": {"type": "string"}}, numbers],
                        "description": "something awful",
                    },
                },
                "required": ["a", "c"],
                "additionalProperties": False,
            },
        )

    def test_parts_may_be_missing(self):
        def described(source):
            return custom_tools.parse(source)["tool_description"]

        self.assertEqual(described("def f(): pass"), "")
        self.assertEqual(described("def f() -> list[int]: pass"), "Returns: list[int]")
        self.assertEqual(described("def f():\n  ':return: x'"), "Returns: x")
        self.assertEqual(described("def f():\n  'Only this.'"), "Only this.")
        self.assertEqual(described("  def f():\n    ':param a1: x'\n"), "")
        source = "def f(a1: int, b: int):\n  '''Does.\n\n  :param int a1: x\n  :param b: y: z\n  :raises E: no'''"
        properties = self.schema(source)["properties"]
        self.assertEqual([properties[name]["description"] for name in properties], ["x", "y: z"])

    def test_required_are_those_without_default(self):
        self.assertEqual(self.schema("def f(a: int, b: int=1, *, c: int, d: int=2): pass")["required"], ["a", "c"])
        self.assertEqual(self.schema("def f(a: int=1): pass")["required"], [])

    def test_what_is_no_tool(self):
        self.assertEqual(
            set(self.errors("def my_tool(a, /, b, *args, **kwargs) -> int:\n  return 1 + 1")),
            {
                "The tool function must not have positional-only arguments",
                "The tool function must not have *args",
                "The tool function must not have **kwargs",
                "The tool function arguments must have type annotations",
            },
        )
        only = ["The tool source code must only define a single function, optionally preceded by imports."]
        for source in (
            "", "import os", "x = 1", "x = 1\ndef f(): pass", "def f(): pass\ndef g(): pass", "async def f(): pass",
            "class A: pass", "def f(): pass\nf()", "print(1)\nimport os\ndef f(): pass",
        ):  # fmt: skip
            self.assertEqual(self.errors(source), only, source)
        self.assertEqual(self.errors("def f(:\n  pass"), ["Syntax error: invalid syntax on line 1"])
        self.assertEqual(self.errors("import os\n!ls"), ["Syntax error: invalid syntax on line 2"])
        self.assertEqual(len(self.errors("(" * 100_000)), 1)
        self.assertEqual(len(self.errors("def f(): " + "-" * 200_000 + "1")), 1)

    def test_annotations_that_are_not_taken(self):
        for text in (
            "print('x')", "[x for x in y]", "(lambda: 1)()", "int if 1 else str", "f'{1}'", "a.__class__",
            "list.__subclasses__", "1 + 1", "b'x'",
        ):  # fmt: skip
            [message] = self.errors(f"def f(a: {text}): pass")
            self.assertTrue(message.startswith("Invalid type annotation `"), message)
        deep = "list[" * 60 + "int" + "]" * 60
        self.assertTrue(self.errors(f"def f(a: {deep}): pass")[0].startswith("Invalid type annotation `list["))
        for text, problem in (
            ("Foo", "name 'Foo' is not defined"),
            ("typing.List", "name 'typing' is not defined"),
            ("requests.Session", "name 'requests' is not defined"),
            ("list[1]", "Unable to generate a schema for 1"),
        ):
            [message] = self.errors(f"import requests\ndef f(a: {text}): pass")
            self.assertEqual(message, f"Error when parsing type `{text}`: {problem}")

    def test_nothing_of_the_source_is_run(self):
        marker = f"{custom_tools.__name__}_was_run"
        source = f"import {marker}\ndef f(a: int = __import__('os').environ.setdefault('{marker}', '1')): pass"
        self.assertEqual(custom_tools.parse(source)["tool_name"], "f")
        self.assertNotIn(marker, os.environ)


class Call(Case):
    def test_values_go_in_and_out(self):
        for source, given, expected in (
            ("def f(a: int, b: int) -> int:\n  return a + b", '{"a": 1, "b": "2"}', "3"),
            ("def f(a: int = 4): return a", "{}", "4"),
            ("def f(a: int, *, b: int): return [a, b]", '{"b": 2, "a": 1}', "[1, 2]"),
            ("import datetime\ndef f(a: datetime.datetime): return a.year", '{"a": "2000-01-01T00:00:00"}', "2000"),
            ("from pathlib import Path\ndef f(a: Path): return a.name", '{"a": "/x/y.txt"}', '"y.txt"'),
            ("import typing\ndef f(a: typing.Tuple[int, str]): return [type(a).__name__, *a]", '{"a": [1, "x"]}', '["tuple", 1, "x"]'),
            ("def f(): return None", "{}", "null"),
            ("def f(): return {'é': 1.5}", "{}", '{"\\u00e9": 1.5}'),
            ("def f(): print('noise'); return 1", "{}", "1"),
            ("  import json\n  def f(): return json.loads('[1]')", "{}", "[1]"),
        ):
            self.assertEqual(custom_tools.call(source, given), expected, source)

    def test_input_that_does_not_fit_is_told_as_pydantic_does(self):
        source = "def f(a: int, b: str = 'x', *, c: list[int]): pass"
        with self.assertRaises(_tool_types.ValidationError) as caught:
            custom_tools.call(source, '{"a": "x", "c": [1, "z"], "d": 5}')
        self.assertEqual(
            str(caught.exception).splitlines(),
            [
                "3 validation errors for call[f]",
                "a",
                "  Input should be a valid integer, unable to parse string as an integer "
                "[type=int_parsing, input_value='x', input_type=str]",
                "c.1",
                "  Input should be a valid integer, unable to parse string as an integer "
                "[type=int_parsing, input_value='z', input_type=str]",
                "d",
                "  Unexpected keyword argument [type=unexpected_keyword_argument, input_value=5, input_type=int]",
            ],
        )
        for given, kind in (
            ("{}", "missing_argument"),
            ("{}", "missing_keyword_only_argument"),
            ("5", "arguments_type"),
            ("nonsense", "json_invalid"),
            ("[1, 'b']", "json_invalid"),
            ('[1, "b", 3]', "unexpected_positional_argument"),
        ):
            with self.assertRaisesRegex(_tool_types.ValidationError, f"type={kind}"):
                custom_tools.call(source, given)

    def test_errors_show_the_lines_of_the_tool(self):
        source = "def division_tool(a: int, b: int) -> int:\n  return a / b"
        driver = "from prims_runtime import custom_tools\ncustom_tools.call(source, text)"
        ran = self.raises(driver, "ZeroDivisionError", globals={"source": source, "text": '{"a": 0, "b": 0}'})
        traceback = ran.error["traceback"]
        self.assertIn("line 2, in division_tool\n    return a / b\n", traceback)
        self.assertTrue(traceback.endswith("ZeroDivisionError: division by zero\n"), traceback)


if __name__ == "__main__":
    unittest.main()
