"""Custom tools: one function, described for a model and called with JSON.

Only runs that ask for it import this module. What a tool may look like, its schema and how its input is read are as in the BeeAI
code interpreter, which leaves the types to pydantic: `_tool_types` does what it would do.
"""

import ast
import contextlib
import datetime
import inspect
import json
import linecache
import pathlib
import re
import textwrap
import typing

from . import _tool_types

DIALECT = "http://json-schema.org/draft-07/schema#"
FILENAME = "<string>"
# Modules that annotations may use.
MODULES = {"typing": typing, "pathlib": pathlib, "datetime": datetime}
NAMES = {kind.__name__: kind for kind in (str, int, float, bool, list, dict, set, tuple)}
# An annotation that nests deeper is refused, long before it could exhaust the stack.
DEPTH = 50

ONE_FUNCTION = "The tool source code must only define a single function, optionally preceded by imports."


class ToolError(Exception):
    """The source is no tool; the arguments are the messages."""


def parse(source):
    """What a model is told about a tool, or everything that is wrong with it."""
    try:
        imports, function = _definition(source)
        _check(function)
        description, returned, described = _docstring(ast.get_docstring(function) or "")
        namespace = _namespace(imports)
        arguments = _arguments(function)
        properties = {}
        for argument in arguments:
            properties[argument.arg] = _schema(argument.annotation, namespace)
            if described.get(argument.arg):
                properties[argument.arg]["description"] = described[argument.arg]
        schema = {
            "$schema": DIALECT,
            "type": "object",
            "title": function.name,
            "properties": properties,
            "required": _required(function),
            "additionalProperties": False,
        }
        annotation = ast.unparse(function.returns) if function.returns else ""
        returns = " -- ".join(part for part in (annotation, returned) if part)
        return {
            "tool_name": function.name,
            "tool_input_schema_json": json.dumps(schema),
            "tool_description": "\n\n".join(
                part for part in (description, returns and f"Returns: {returns}") if part
            ),
        }
    except ToolError as error:
        return {"error_messages": list(error.args)}


def call(source, text):
    """The value a tool returns for some input, both as JSON. What the tool prints to stdout is dropped."""
    source = textwrap.dedent(source)
    _, function = _definition(source)
    lines = source.splitlines(keepends=True)
    linecache.cache[FILENAME] = (len(source), None, lines, FILENAME)
    with contextlib.redirect_stdout(_Nowhere()):
        names = {}
        exec(compile(source, FILENAME, "exec"), names)
        tool = names[function.name]
        arguments = _tool_types.arguments(tool, text)
        return json.dumps(tool(*arguments.args, **arguments.kwargs))


class _Nowhere:
    """A stream that keeps nothing."""

    encoding, errors, closed = "utf-8", "strict", False

    def write(self, text):
        return len(text)

    def flush(self):
        pass

    def isatty(self):
        return False

    def writable(self):
        return True


def _definition(source):
    try:
        body = ast.parse(textwrap.dedent(source)).body
    except SyntaxError as error:
        raise ToolError(f"Syntax error: {error.msg} on line {error.lineno}") from None
    except (RecursionError, MemoryError):
        raise ToolError("Syntax error: too deeply nested on line 1") from None
    except ValueError as error:  # text that is not valid Unicode
        raise ToolError(f"Syntax error: {error} on line 1") from None
    if not body or not isinstance(body[-1], ast.FunctionDef):
        raise ToolError(ONE_FUNCTION)
    *imports, function = body
    if not all(isinstance(node, (ast.Import, ast.ImportFrom)) for node in imports):
        raise ToolError(ONE_FUNCTION)
    return imports, function


def _arguments(function):
    return [*function.args.args, *function.args.kwonlyargs]


def _check(function):
    arguments = function.args
    wrong = {
        "The tool function must not have positional-only arguments": arguments.posonlyargs,
        "The tool function must not have *args": arguments.vararg,
        "The tool function must not have **kwargs": arguments.kwarg,
        "The tool function arguments must have type annotations": any(
            not argument.annotation for argument in _arguments(function)
        ),
    }
    messages = [message for message, found in wrong.items() if found]
    if messages:
        raise ToolError(*messages)


def _required(function):
    arguments = function.args
    positional = arguments.args[: len(arguments.args) - len(arguments.defaults)]
    named = [
        argument for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults) if default is None
    ]
    return [argument.arg for argument in (*positional, *named)]


def _docstring(text):
    """The description, what is returned, and the arguments by name, of a docstring with fields of reStructuredText."""
    description, *fields = re.split(r"^\s*:", inspect.cleandoc(text), flags=re.MULTILINE)
    returned, arguments = "", {}
    for field in fields:
        field = field.strip()
        if found := re.match(r"param\s+(?:[^:\s]+\s+)?(\w+):\s+(.+)", field, re.DOTALL):
            arguments[found[1]] = found[2]
        elif found := re.match(r"returns?:\s+(.+)", field, re.DOTALL):
            returned = found[1]
    return description.strip(), returned, arguments


def _namespace(imports):
    """The names that annotations may use: the usual types, and what was imported from the modules for types."""
    names = dict(NAMES)
    for node in imports:
        for alias in node.names:
            if isinstance(node, ast.Import):
                if alias.name in MODULES:
                    names[alias.asname or alias.name] = MODULES[alias.name]
            elif node.module in MODULES and not node.level and alias.name != "*":
                try:
                    names[alias.asname or alias.name] = getattr(MODULES[node.module], alias.name)
                except AttributeError:
                    message = f"cannot import name {alias.name!r} from {node.module!r}"
                    raise ToolError(f"Error when parsing imports: {message}") from None
            elif node.module in MODULES and not node.level:
                names.update({name: getattr(MODULES[node.module], name) for name in MODULES[node.module].__all__})
    return names


def _schema(annotation, namespace):
    text = ast.unparse(annotation)
    if not _is_type(annotation, DEPTH):
        raise ToolError(f"Invalid type annotation `{text}`")
    try:
        return _tool_types.form(eval(text, dict(namespace))).schema()
    except Exception as error:
        raise ToolError(f"Error when parsing type `{text}`: {error}") from None


def _is_type(node, depth):
    """Whether an annotation has only names, attributes, subscripts, alternatives and constants, so that evaluating it is harmless."""
    if depth == 0:
        return False
    match node:
        case ast.Name():
            return True
        case ast.Attribute():
            return not node.attr.startswith("_") and _is_type(node.value, depth - 1)
        case ast.Subscript():
            return _is_type(node.value, depth - 1) and _is_type(node.slice, depth - 1)
        case ast.Tuple() | ast.List():
            return all(_is_type(element, depth - 1) for element in node.elts)
        case ast.Constant():
            # `...` is how a tuple of any length is written.
            return isinstance(node.value, (str, int, float, bool, type(None), type(...)))
        case ast.BinOp():
            return isinstance(node.op, ast.BitOr) and all(
                _is_type(side, depth - 1) for side in (node.left, node.right)
            )
    return False
