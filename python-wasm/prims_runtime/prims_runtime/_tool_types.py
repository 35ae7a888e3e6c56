"""Types as JSON schemas, and JSON as values of types: what pydantic (version 2, not strict) does for the arguments of a function.

A type becomes a `Form`. `schema()` describes it in draft 7, `read()` makes a value of it out of parsed JSON.
"""

import collections
import collections.abc
import datetime
import inspect
import json
import math
import pathlib
import re
import types
import typing

from ._tool_form import EXACT, LAX, STRICT, Form, Problem, Problems, fail
from ._tool_times import date, duration, moment, time_of_day

# Longer renderings of an input are shortened in messages.
SHOWN = 50


class ValidationError(ValueError):
    """The input of a tool does not fit its arguments."""


def form(kind):
    """The form of an annotation; raises what says why there is none."""
    if isinstance(kind, typing.ForwardRef):
        kind = kind.__forward_arg__
    if isinstance(kind, str):
        kind = _evaluated(kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is None or kind is type(None):
        return NONE
    if origin is typing.Annotated or origin is typing.Final:
        return form(arguments[0])
    if origin is typing.Literal:
        return _literal(_flat_literals(arguments))
    if origin is typing.Union or origin is types.UnionType:
        return _union([form(argument) for argument in arguments])
    try:
        if origin is None and kind in SIMPLE:
            return SIMPLE[kind]
        if origin is tuple and not arguments and kind is not typing.Tuple:
            return EMPTY_TUPLE
        container = CONTAINERS.get(origin or kind)
    except TypeError:  # cannot be looked up
        container = None
    if container is None:
        shown = kind if origin or not isinstance(kind, type) else repr(kind)
        raise TypeError(f"Unable to generate a schema for {shown}")
    return container(arguments)


def _evaluated(text):
    """A type that is written as a string inside of another one."""
    names = {kind.__name__: kind for kind in (str, int, float, bool, list, dict, set, tuple, bytes)}
    if re.fullmatch(r"[A-Za-z_][\w.\[\], |]*", text) is None or "__" in text:
        raise NameError(f"{text!r} is not a type")
    return eval(text, names | {"typing": typing, "datetime": datetime, "pathlib": pathlib})


# What a value of JSON is called.


def _integer(value):
    if type(value) is int:
        return value, EXACT
    if type(value) is bool:
        return int(value), LAX
    if type(value) is float:
        if value.is_integer():
            return int(value), LAX
        if not math.isfinite(value):
            fail("finite_number", "Input should be a finite number", value)
        fail("int_from_float", "Input should be a valid integer, got a number with a fractional part", value)
    if type(value) is str:
        # Digits with single underscores between them; a fraction of zeros is none.
        found = re.fullmatch(r"\s*([+-]?\d+(?:_\d+)*)(?:\.0*)?\s*", value, re.ASCII)
        if found and len(value) <= 4300:
            return int(found[1]), LAX
        fail("int_parsing", "Input should be a valid integer, unable to parse string as an integer", value)
    fail("int_type", "Input should be a valid integer", value)


def _number(value):
    if type(value) is float:
        return value, EXACT
    if type(value) is int:
        try:
            return float(value), STRICT
        except OverflowError:
            return math.copysign(math.inf, value), STRICT
    if type(value) is bool:
        return float(value), LAX
    if type(value) is str:
        try:
            return float(value), LAX
        except ValueError:
            fail("float_parsing", "Input should be a valid number, unable to parse string as a number", value)
    fail("float_type", "Input should be a valid number", value)


TRUE, FALSE = {"1", "on", "t", "true", "y", "yes"}, {"0", "off", "f", "false", "n", "no"}


def _boolean(value):
    if type(value) is bool:
        return value, EXACT
    if type(value) in (int, float) and value in (0, 1):
        return bool(value), LAX
    if type(value) is str and value.lower() in TRUE | FALSE:
        return value.lower() in TRUE, LAX
    if type(value) in (int, str):
        fail("bool_parsing", "Input should be a valid boolean, unable to interpret input", value)
    fail("bool_type", "Input should be a valid boolean", value)


def _string(value):
    if type(value) is str:
        return value, EXACT
    fail("string_type", "Input should be a valid string", value)


def _bytes(value):
    if type(value) is str:
        return value.encode(), STRICT
    fail("bytes_type", "Input should be a valid bytes", value)


def _complex(value):
    if type(value) in (int, float):
        return complex(value), STRICT
    if type(value) is str:
        try:
            return complex(value), STRICT
        except ValueError:
            message = "Input should be a valid complex string following the rules at https://docs.python.org/3/library/functions.html#complex"
            fail("complex_str_parsing", message, value)
    message = "Input should be a valid python complex object, a number, or a valid complex string following the rules at https://docs.python.org/3/library/functions.html#complex"
    fail("complex_type", message, value)


def _none(value):
    if value is None:
        return None, EXACT
    fail("none_required", "Input should be null", value)


def _any(value):
    return value, LAX


def _hashable(value):
    if type(value) in (list, dict):
        fail("is_hashable", "Input should be hashable", value)
    return value, LAX


def _path(kind):
    def read(value):
        if type(value) is str:
            return kind(value), STRICT
        fail("path_type", f"Input is not a valid path for {kind}", value)

    return read


def _pattern(value):
    if type(value) is not str:
        fail("pattern_type", "Input should be a valid pattern", value)
    try:
        return re.compile(value), STRICT
    except re.error:
        fail("pattern_regex", "Input should be a valid regular expression", value)


NONE = Form("none", {"type": "null"}, _none)
ANY = Form("any", {}, _any)


def _text(name, read, **more):
    return Form(name, {"type": "string"} | more, read)


SIMPLE = {
    str: _text("str", _string),
    int: Form("int", {"type": "integer"}, _integer),
    float: Form("float", {"type": "number"}, _number),
    bool: Form("bool", {"type": "boolean"}, _boolean),
    bytes: _text("bytes", _bytes, format="binary"),
    complex: _text("complex", _complex),
    object: ANY,
    typing.Any: ANY,
    datetime.datetime: _text("datetime", moment, format="date-time"),
    datetime.date: _text("date", date, format="date"),
    datetime.time: _text("time", time_of_day, format="time"),
    datetime.timedelta: _text("timedelta", duration, format="duration"),
    **{
        kind: _text("path", _path(kind), format="path")
        for kind in (pathlib.Path, pathlib.PurePath, pathlib.PosixPath, pathlib.PurePosixPath)
    },
}


# Types of types.


def _items(found, value):
    """The values of some items, and how well the least of them fits."""
    values, fits, wrong = [], EXACT, []
    for at, item in enumerate(value):
        try:
            got, fit = found(at).read(item)
        except Problems as problems:
            wrong += [_at(problem, at) for problem in problems.args[0]]
        else:
            values.append(got)
            fits = min(fits, fit)
    if wrong:
        raise Problems(wrong)
    return values, fits


def _all_hashable(values):
    wrong = []
    for at, value in enumerate(values):
        try:
            hash(value)
        except TypeError:
            wrong.append(Problem("set_item_not_hashable", "Set items should be hashable", value, (at,)))
    if wrong:
        raise Problems(wrong)


def _at(problem, place):
    return Problem(problem.kind, problem.message, problem.value, (place, *problem.place))


def _sequence(name, kind, word, unique=False, fit=EXACT):
    def make(arguments):
        item = form(arguments[0]) if arguments else ANY

        def schema():
            return {"type": "array", "items": item.schema()} | ({"uniqueItems": True} if unique else {})

        def read(value):
            if word == "iterable" and type(value) in (str, dict):
                value = list(value)
            if type(value) is not list:
                fail(f"{word}_type", "Input should be a valid array", value)
            values, fits = _items(lambda _: item, value)
            if unique:
                _all_hashable(values)
            return kind(values), min(fits, fit)

        return Form(f"{name}[{item.name}]", schema, read)

    return make


def _tuple(arguments):
    if not arguments:
        return _sequence("tuple", tuple, "tuple")(())
    if len(arguments) == 2 and arguments[1] is ...:
        return _sequence("tuple", tuple, "tuple")(arguments[:1])
    return _fixed([form(argument) for argument in arguments])


def _fixed(forms):
    count = len(forms)

    def schema():
        return {
            "type": "array",
            "minItems": count,
            "items": [item.schema() for item in forms],
            "additionalItems": False,
        }

    def read(value):
        if type(value) is not list:
            fail("tuple_type", "Input should be a valid array", value)
        if len(value) > count:
            plural = "item" if count == 1 else "items"
            fail("too_long", f"Tuple should have at most {count} {plural} after validation, not {len(value)}", value)
        missing = [Problem("missing", "Field required", value, (at,)) for at in range(len(value), count)]
        try:
            values, fits = _items(forms.__getitem__, value)
        except Problems as problems:
            raise Problems(problems.args[0] + missing) from None
        if missing:
            raise Problems(missing)
        return tuple(values), fits

    return Form(f"tuple[{','.join(item.name for item in forms)}]", schema, read)


EMPTY_TUPLE = Form("tuple[]", {"type": "array", "minItems": 0, "maxItems": 0}, _fixed([]).read)


def _mapping(name, kind, value_kind=None, fit=EXACT):
    def make(arguments):
        key = form(arguments[0]) if arguments else ANY
        item = form(value_kind or arguments[1]) if value_kind or arguments else ANY

        def schema():
            return {"type": "object", "additionalProperties": item.schema() or True}

        def read(value):
            if type(value) is not dict:
                fail("dict_type", "Input should be an object", value)
            pairs, fits, wrong = [], EXACT, []
            for name, content in value.items():
                try:
                    got_key = _key(key, name)
                except Problems as problems:
                    wrong += [_at(_at(problem, "[key]"), name) for problem in problems.args[0]]
                try:
                    got, got_fit = item.read(content)
                except Problems as problems:
                    wrong += [_at(problem, name) for problem in problems.args[0]]
                if not wrong:
                    pairs.append((got_key, got))
                    fits = min(fits, got_fit)
            if wrong:
                raise Problems(wrong)
            return kind(pairs), min(fits, fit)

        return Form(f"{name}[{key.name},{item.name}]", schema, read)

    return make


def _key(key, name):
    """Keys of JSON are strings, whatever they are meant to be."""
    return key.read(name)[0]


def _defaults(pairs):
    return collections.defaultdict(None, pairs)


def _counter(pairs):
    return collections.Counter(dict(pairs))


CONTAINERS = {
    list: _sequence("list", list, "list"),
    set: _sequence("set", set, "set", unique=True),
    frozenset: _sequence("frozenset", frozenset, "frozen_set", unique=True),
    tuple: lambda arguments: _tuple(arguments),
    dict: _mapping("dict", dict),
    collections.abc.Sequence: _sequence("list", list, "list", fit=STRICT),
    collections.abc.MutableSequence: _sequence("list", list, "list", fit=STRICT),
    collections.abc.Iterable: _sequence("generator", list, "iterable", fit=STRICT),
    collections.abc.Set: _sequence("frozenset", frozenset, "frozen_set", unique=True),
    collections.abc.MutableSet: _sequence("set", set, "set", unique=True),
    collections.deque: _sequence("deque", collections.deque, "list", fit=STRICT),
    collections.abc.Mapping: _mapping("dict", dict, fit=STRICT),
    collections.abc.MutableMapping: _mapping("dict", dict, fit=STRICT),
    collections.defaultdict: _mapping("dict", _defaults, fit=STRICT),
    collections.OrderedDict: _mapping("dict", collections.OrderedDict, fit=STRICT),
    collections.Counter: _mapping("dict", _counter, value_kind=int, fit=STRICT),
    collections.abc.Hashable: lambda _: Form("hashable", {}, _hashable),
    re.Pattern: lambda _: _text("pattern", _pattern, format="regex"),
}


def _flat_literals(arguments):
    return list(dict.fromkeys((type(argument), argument) for argument in arguments))


NAMES_OF_TYPES = {str: "string", int: "integer", bool: "boolean", float: "number"}


def _literal(pairs):
    values = [value for _, value in pairs]
    kinds = {kind for kind, _ in pairs}
    if not kinds <= {str, int, bool, type(None)}:
        raise TypeError("a literal of a schema is a string, a number, a boolean or None")
    schema = {"const": values[0]} if len(values) == 1 else {"enum": values}
    if len(kinds) == 1 and (only := next(iter(kinds))) in NAMES_OF_TYPES:
        schema["type"] = NAMES_OF_TYPES[only]
    shown = [repr(value) for value in values]
    expected = shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"

    def read(value):
        for kind, known in pairs:
            if type(value) is kind and value == known:
                return known, EXACT
        for kind, known in pairs:
            if kind in (int, bool) and type(value) in (int, float, bool) and value == known:
                return known, LAX
        fail("literal_error", f"Input should be {expected}", value)

    return Form(f"literal[{','.join(shown)}]", schema, read)


def _union(forms):
    forms = list(dict.fromkeys(forms))
    if len(forms) == 1:
        return forms[0]
    some = [form for form in forms if form is not NONE]
    optional = len(some) < len(forms)
    inner = some[0] if len(some) == 1 else None

    def schema():
        # The same schema twice says nothing.
        schemas = []
        for alternative in [*some, NONE] if optional else some:
            if (found := alternative.schema()) not in schemas:
                schemas.append(found)
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}

    def read(value):
        if optional and value is None:
            return None, EXACT
        if inner is not None:
            return inner.read(value)
        best, wrong = None, []
        for alternative in some:
            try:
                found = alternative.read(value)
            except Problems as problems:
                wrong += [_at(problem, alternative.name) for problem in problems.args[0]]
            else:
                if best is None or found[1] > best[1]:
                    best = found
        if best is None:
            raise Problems(wrong)
        return best

    name = f"nullable[{inner.name}]" if inner else f"union[{','.join(form.name for form in some)}]"
    return Form(name, schema, read)


def arguments(function, text):
    """The arguments of a call of `function`, bound, out of a JSON object (or an array, which gives them by position).

    Raises `ValidationError`, which says everything that is wrong as pydantic says it.
    """
    signature = inspect.signature(function)
    hints = typing.get_type_hints(function, include_extras=True)
    title = f"call[{function.__name__}]"
    try:
        whole = given = json.loads(text)
    except ValueError as error:
        raise _error(title, [Problem("json_invalid", f"Invalid JSON: {error}", text)]) from None
    if type(given) is list:
        given = dict(enumerate(given))
    elif type(given) is not dict:
        message = "Arguments must be an array or an object"
        raise _error(title, [Problem("arguments_type", message, given)])
    values, wrong, used = {}, [], set()
    for at, (name, parameter) in enumerate(signature.parameters.items()):
        by_name = parameter.kind is parameter.KEYWORD_ONLY
        key = at if at in given and not by_name else name
        if key not in given:
            if parameter.default is parameter.empty:
                kind = "missing_keyword_only_argument" if by_name else "missing_argument"
                message = "Missing required keyword only argument" if by_name else "Missing required argument"
                wrong.append(Problem(kind, message, whole, (name,)))
            continue
        used.add(key)
        try:
            values[name] = form(hints.get(name, typing.Any)).read(given[key])[0]
        except Problems as problems:
            wrong += [_at(problem, key) for problem in problems.args[0]]
    for key in given:
        if key not in used:
            by_position = type(key) is int
            kind = "unexpected_positional_argument" if by_position else "unexpected_keyword_argument"
            message = "Unexpected positional argument" if by_position else "Unexpected keyword argument"
            wrong.append(Problem(kind, message, given[key], (key,)))
    if wrong:
        raise _error(title, wrong)
    bound = signature.bind_partial()
    bound.arguments.update(values)
    return bound


def _error(title, wrong):
    lines = [f"{len(wrong)} validation error{'s' * (len(wrong) != 1)} for {title}"]
    for problem in wrong:
        if problem.place:
            lines.append(".".join(str(part) for part in problem.place))
        shown = repr(problem.value)
        if len(shown) > SHOWN:
            shown = f"{shown[: SHOWN // 2]}...{shown[-(SHOWN // 2) + 1 :]}"
        found = f"input_value={shown}, input_type={type(problem.value).__name__}"
        lines.append(f"  {problem.message} [type={problem.kind}, {found}]")
    return ValidationError("\n".join(lines))
