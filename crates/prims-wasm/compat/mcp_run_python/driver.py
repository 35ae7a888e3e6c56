"""What mcp-run-python does with a program, done in the guest.

``run`` takes a request with ``code``, ``filename``, ``variables``, ``json`` (whether text is quoted and numbers stay within JSON)
and ``most`` (bytes of the answer as JSON), and answers ``[status, text]``.
"""

import ast
import dataclasses
import datetime
import decimal
import enum
import json
import linecache
import pathlib
import re
import sys
import traceback
import types
import uuid

DRIVER = (lambda: None).__code__.co_filename
DEEPEST = 255
VALUE = "<value>"


def run(request):
    code, name = request["code"], request["filename"]
    module = types.ModuleType("__main__")
    names = module.__dict__
    names.update(request["variables"], __name__="__main__")
    sys.modules["__main__"] = module
    linecache.cache[name] = (len(code), None, [line + "\n" for line in code.split("\n")], name)
    try:
        sys.setrecursionlimit(400)
        value = execute(code, name, names)
        sys.setrecursionlimit(1000)
        text = dumped(value, request["json"])
        size = 0 if text is None else len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace"))
        if size > request["most"]:
            most = request["most"]
            return ["run-error", f"ValueError: the return value has {size} bytes, at most {most} can be returned\n"]
        return ["success", text]
    except BaseException as error:
        sys.setrecursionlimit(1000)
        return ["run-error", told(error)[-request["most"] // 6 :]]


def execute(code, name, names):
    tree = compile(code, name, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, True)
    if tree.body and type(tree.body[-1]) is ast.Expr and not silenced(code, tree.body[-1].value):
        last = tree.body[-1]
        target = ast.copy_location(ast.Name(VALUE, ast.Store()), last)
        tree.body[-1] = ast.copy_location(ast.Assign([target], last.value), last)
    program = compile(tree, name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, True)
    if program.co_flags & 0x80:  # a coroutine
        return awaited(finished(eval(program, names), names))
    exec(program, names)
    value = names.pop(VALUE, None)
    return awaited(settled(value)) if can_be_awaited(value) else value


def silenced(code, expression):
    """A semicolon after the last expression keeps its value back."""
    line = code.splitlines()[expression.end_lineno - 1 :][:1]
    rest = "".join(line).encode("utf-8", "replace")[expression.end_col_offset :]
    return rest.lstrip(b" \t)").startswith(b";")


def can_be_awaited(value):
    return hasattr(type(value), "__await__")


async def finished(program, names):
    await program
    return await settled(names.pop(VALUE, None))


async def settled(value):
    while can_be_awaited(value):
        value = await value
    return value


async def caught(coroutine):
    """Without the event loop's own frames in what was raised."""
    try:
        return await coroutine, None
    except BaseException as error:
        return None, error


def awaited(coroutine):
    import asyncio

    value, error = asyncio.run(caught(coroutine))
    if error is not None:
        raise error
    return value


def told(error):
    """The traceback without frames of this file."""
    place = error.__traceback__
    while place is not None and place.tb_frame.f_code.co_filename == DRIVER:
        place = place.tb_next
    try:
        text = "".join(traceback.format_exception(type(error), error, place))
    except BaseException:
        text = f"{type(error).__name__}\n"
    text = re.sub(rf'(?m)^  File "{re.escape(DRIVER)}".*\n(?:    .*\n)*', "", text)
    head = "Traceback (most recent call last):\n"
    return text if head in text else head + text


def dumped(value, as_json):
    if type(value) is float and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if value is None:
        return None
    if isinstance(value, str) and not as_json:
        return str.__str__(value)
    parts = []
    Writer(parts.append, as_json).write(value, "\n", ())
    return "".join(parts)


def fallback(value):
    kind = type(value)
    if kind.__module__ == "numpy":
        return value.tolist() if kind.__name__ in ("ndarray", "matrix") else value.item()
    return repr(value)


class Writer:
    def __init__(self, put, as_json):
        self.put, self.as_json = put, as_json

    def text(self, text):
        self.put(json.dumps(text, ensure_ascii=False))

    def write(self, value, line, inside):
        plain = scalar(value, self.as_json)
        if plain is not None:
            return self.put(plain) if type(plain) is not tuple else self.text(plain[0])
        if id(value) in inside:
            raise ValueError("Circular reference detected (id repeated)")
        if len(inside) >= DEEPEST:
            raise ValueError("Circular reference detected (depth exceeded)")
        inside = (*inside, id(value))
        if isinstance(value, enum.Enum):
            self.write(value.value, line, inside)
        elif isinstance(value, (list, tuple, set, frozenset)) or hasattr(type(value), "__next__"):
            self.items(list(value), line, inside)
        elif isinstance(value, dict):
            self.fields(((key_of(key), item) for key, item in dict.items(value)), line, inside)
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = [field.name for field in dataclasses.fields(value)]
            self.fields(((name, getattr(value, name)) for name in names), line, inside)
        else:
            self.write(fallback(value), line, inside)

    def items(self, items, line, inside):
        if not items:
            return self.put("[]")
        deeper, between = line + "  ", "["
        for item in items:
            self.put(between + deeper)
            self.write(item, deeper, inside)
            between = ","
        self.put(line + "]")

    def fields(self, pairs, line, inside):
        deeper, between = line + "  ", "{"
        for key, item in pairs:
            self.put(between + deeper)
            self.text(key)
            self.put(": ")
            self.write(item, deeper, inside)
            between = ","
        self.put("{}" if between == "{" else line + "}")


def scalar(value, as_json=False):
    """What is written as it is, or text in a tuple; ``None`` if it is neither."""
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, enum.Enum):
        return None
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return number(float(value), as_json)
    if isinstance(value, str):
        return (str.__str__(value),)
    if isinstance(value, (bytes, bytearray)):
        return (bytes(value).decode(),)
    if isinstance(value, complex):
        return (str(complex(value)).strip("()").replace("nan", "NaN"),)
    if isinstance(value, (datetime.datetime, datetime.time)):
        return (re.sub(r"\+00:00$", "Z", value.isoformat()),)
    if isinstance(value, datetime.date):
        return (value.isoformat(),)
    if isinstance(value, datetime.timedelta):
        return (period(value),)
    if isinstance(value, (decimal.Decimal, uuid.UUID, pathlib.Path)):
        return (str(value),)
    if isinstance(value, re.Pattern):
        return (value.pattern,)
    return None


def number(value, as_json):
    if value != value or value in (float("inf"), float("-inf")):
        return "null" if as_json else {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[repr(value)]
    text = repr(value)
    if "e" not in text:
        return text
    digits, exponent = text.split("e")
    if int(exponent) == -5:
        sign, digits = ("-", digits[1:]) if digits[0] == "-" else ("", digits)
        return f"{sign}0.0000{digits.replace('.', '')}"
    return f"{digits}e{int(exponent)}"


def period(value):
    sign, value = ("-", -value) if value.days < 0 else ("", value)
    years, days = divmod(value.days, 365)
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    date = "".join(f"{count}{unit}" for count, unit in ((years, "Y"), (days, "D")) if count)
    time = "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M")) if count)
    if value.microseconds:
        time += f"{seconds}.{value.microseconds:06}".rstrip("0") + "S"
    elif seconds:
        time += f"{seconds}S"
    if not date and not time:
        time = "0S"
    return f"{sign}P{date}{'T' if time else ''}{time}"


def key_of(key):
    """A key of a mapping as text."""
    if key is None or isinstance(key, float):
        return str(key)
    if isinstance(key, enum.Enum):
        return key_of(key.value)
    if isinstance(key, tuple):
        return ",".join(map(key_of, key))
    plain = scalar(key)
    if plain is None:
        return key_of(fallback(key))
    return plain if type(plain) is str else plain[0]

