"""A bounded ``repr``.

Ordinary values get exactly ``repr(value)``. Containers that are large, or that print much larger than they are because
they share parts, are walked instead, and the walk ends when the bound is reached: the whole text is never built.
"""

from ._own import BUILTINS as __builtins__  # noqa: F401, I001

import array
import collections
import itertools
import sys
import types

from ._error import _name_of

islice = itertools.islice
set_int_digits, get_int_digits = sys.set_int_max_str_digits, sys.get_int_max_str_digits

# Nodes looked at before a container counts as large.
NODES_BOUND = 4096
# Nesting beyond this is shown as "...".
DEPTH_BOUND = 60
# Integers beyond this are described, not printed: a conversion to decimal digits takes more than linear time.
INT_BITS_BOUND = 340_000

SCALARS = frozenset((int, float, bool, complex, type(None), range, type(Ellipsis), type(NotImplemented)))
# Kind of container: opening and closing text; the walk is told apart by the kind itself.
BRACKETS = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    dict: ("{", "}"),
    collections.deque: ("deque([", "])"),
    collections.OrderedDict: ("OrderedDict({", "})"),
    collections.Counter: ("Counter({", "})"),
    collections.defaultdict: ("defaultdict({", "})"),
    type({}.keys()): ("dict_keys([", "])"),
    type({}.values()): ("dict_values([", "])"),
    type({}.items()): ("dict_items([", "])"),
    types.MappingProxyType: ("mappingproxy({", "})"),
}
MAPPINGS = frozenset((dict, collections.OrderedDict, collections.Counter, collections.defaultdict))
BUFFERS = {str: ("", ""), bytes: ("", ""), bytearray: ("", ""), array.array: ("", "")}


class Full(Exception):
    """The bound is reached."""


def bounded_repr(value, limit):
    """``repr(value)`` cut to ``limit`` characters, and whether it was cut. Never raises."""
    kind = type(value)
    try:
        if kind in SCALARS and kind is not int:
            text = repr(value)
        elif kind is int and -(1 << 4000) < value < (1 << 4000):
            text = repr(value)
        else:
            return _guarded(value, limit)
    except BaseException as failure:
        text = _unprintable(value, failure)
    return (text, False) if len(text) <= limit else (text[:limit], True)


def _guarded(value, limit):
    digits = get_int_digits()
    try:
        set_int_digits(0)
        if _is_small(value, limit):
            text = str.__str__(repr(value))
            cut = len(text) > limit
            return text[:limit], cut
        out = _Writer(limit)
        try:
            out.write(value, 0, ())
            cut = out.shortened
        except Full:
            cut = True
        return "".join(out.parts)[:limit], cut
    except BaseException as failure:
        return _unprintable(value, failure)[:limit], False
    finally:
        try:
            set_int_digits(digits)
        except BaseException:
            pass


def _unprintable(value, failure):
    try:
        return f"<{_name_of(type(value))} object; its repr() raised {_name_of(type(failure))}>"
    except BaseException:
        return "<object; its repr() failed>"


def _dataclass_fields(kind):
    """Names of the fields a generated dataclass ``__repr__`` shows, or None for any other class."""
    fields = kind.__dict__.get("__dataclass_fields__")
    made = kind.__dict__.get("__repr__")
    if fields is None or getattr(made, "__wrapped__", None) is None:
        return None
    return [name for name, field in fields.items() if field.repr and field._field_type.name == "_FIELD"]


def _tuple_fields(kind):
    """Field names of a named tuple whose repr is the generated one."""
    fields = kind.__dict__.get("_fields")
    made = kind.__dict__.get("__repr__")
    if type(fields) is tuple and getattr(getattr(made, "__code__", None), "co_name", "") == "__repr__":
        if getattr(made.__code__, "co_filename", "").endswith("collections/__init__.py"):
            return fields
    return None


def _is_small(value, limit):
    """Whether ``repr(value)`` is known to be harmless. Counts shared parts as often as they print."""
    nodes = 0
    size = 0
    pending = [(value, 0)]
    while pending:
        thing, depth = pending.pop()
        nodes += 1
        kind = type(thing)
        if kind is int:
            bits = thing.bit_length()
            if bits > INT_BITS_BOUND:
                return False
            size += bits >> 1
        elif kind in SCALARS:
            size += 8
        elif kind in BUFFERS:
            size += len(thing) * (thing.itemsize if kind is array.array else 1)
        elif kind in BRACKETS:
            count = len(thing)
            if nodes + count > NODES_BOUND or depth > DEPTH_BOUND:
                return False
            size += 2 + count
            depth += 1
            if kind in MAPPINGS or kind is types.MappingProxyType:
                for pair in dict.items(thing) if kind in MAPPINGS else thing.items():
                    pending.append((pair[0], depth))
                    pending.append((pair[1], depth))
                nodes += count
            else:
                for item in thing:
                    pending.append((item, depth))
        else:
            fields = _dataclass_fields(kind)
            if fields is not None:
                if depth > DEPTH_BOUND:
                    return False
                depth += 1
                for name in fields:
                    pending.append((getattr(thing, name), depth))
            elif issubclass(kind, tuple) and _tuple_fields(kind):
                if depth > DEPTH_BOUND:
                    return False
                pending.extend((item, depth + 1) for item in tuple.__iter__(thing))
            else:
                size += 40  # its repr is code; what that builds is on its own account
        if nodes > NODES_BOUND or size > limit:
            return False
    return True


class _Writer:
    """Writes the repr of large values piece by piece."""

    def __init__(self, limit):
        self.parts = []
        self.left = limit
        self.shortened = False

    def put(self, text):
        self.parts.append(text)
        self.left -= len(text)
        if self.left < 0:
            raise Full

    def write(self, value, depth, inside):
        kind = type(value)
        if kind is int and value.bit_length() > INT_BITS_BOUND:
            self.shortened = True
            self.put(f"<int of {value.bit_length()} bits>")
        elif kind in SCALARS:
            self.put(repr(value))
        elif kind in BUFFERS:
            room = self.left + 1
            if len(value) > room:
                value = value[:room]
                self.put(repr(value))
                raise Full
            self.put(repr(value))
        elif kind in BRACKETS:
            self.container(value, kind, depth, inside)
        elif (fields := _dataclass_fields(kind)) is not None:
            self.record(value, kind.__qualname__, [(name, getattr(value, name)) for name in fields], depth, inside)
        elif issubclass(kind, tuple) and (fields := _tuple_fields(kind)):
            self.record(value, _name_of(kind), list(zip(fields, tuple.__iter__(value), strict=True)), depth, inside)
        else:
            try:
                text = str.__str__(repr(value))
            except Full:
                raise
            except BaseException as failure:
                text = _unprintable(value, failure)
            self.put(text if len(text) <= self.left else text[: self.left + 1])

    def enter(self, value, depth, inside, text):
        """Whether to go into ``value``; if not, ``text`` was written in its place."""
        if id(value) in inside:
            self.put(text)
            return False
        if depth > DEPTH_BOUND:
            self.shortened = True
            self.put(text)
            return False
        return True

    def container(self, value, kind, depth, inside):
        opening, closing = BRACKETS[kind]
        if kind is set and not value:
            return self.put("set()")
        if kind is frozenset and not value:
            return self.put("frozenset()")
        if kind is collections.defaultdict:
            opening = f"defaultdict({value.default_factory!r}, {{"
        elif kind is collections.deque and value.maxlen is not None:
            closing = f"], maxlen={value.maxlen})"
        if not self.enter(value, depth, inside, opening + "..." + closing):
            return None
        inside = (*inside, id(value))
        depth += 1
        self.put(opening)
        first = True
        if kind in MAPPINGS or kind is types.MappingProxyType:
            for key, item in dict.items(value) if kind in MAPPINGS else value.items():
                if not first:
                    self.put(", ")
                first = False
                self.write(key, depth, inside)
                self.put(": ")
                self.write(item, depth, inside)
        else:
            for item in value:
                if not first:
                    self.put(", ")
                first = False
                self.write(item, depth, inside)
        if kind is tuple and len(value) == 1:
            self.put(",")
        self.put(closing)

    def record(self, value, name, pairs, depth, inside):
        if not self.enter(value, depth, inside, "..."):
            return
        inside = (*inside, id(value))
        self.put(name + "(")
        for index, (field, item) in enumerate(pairs):
            self.put(f", {field}=" if index else f"{field}=")
            self.write(item, depth + 1, inside)
        self.put(")")
