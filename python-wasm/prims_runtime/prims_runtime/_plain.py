"""Values as plain JSON data.

The rules, which README.md documents for readers of the reply:
  None, bool, str, finite float            as they are
  int                                      a number if it fits 64 bits (signed or unsigned), else a string of digits
  nan, inf, -inf                           the strings "NaN", "Infinity", "-Infinity"
  list, tuple, deque, range, dict views    an array
  named tuple, dataclass, pydantic, attrs  an object of its fields
  set, frozenset                           an array, sorted if the members can be compared
  dict and other mappings of the library   an object; keys that are no strings become what JSON would show of them
  bytes, bytearray, memoryview             {"base64": "..."}
  complex                                  {"real": x, "imag": y}
  datetime, date, time, timedelta          ISO 8601 text ("P1DT2H3M4.5S" for a timedelta)
  Decimal, Fraction, UUID, Path            text
  Enum                                     its value
  numpy scalar, numpy array                as Python scalars and (nested) arrays
  pandas Series, DataFrame                 {"name", "index", "data"} and {"columns", "index", "data"}
Anything else, a cycle, nesting deeper than 64 or more than 100,000 parts: no JSON at all (`Unsuitable`).
"""

from ._own import BUILTINS as __builtins__  # noqa: F401, I001

import base64
import collections
import datetime
import decimal
import enum
import fractions
import ipaddress
import json.encoder
import pathlib
import sys
import types
import uuid

from ._render import _tuple_fields
from ._text import clean

NODES_BOUND = 100_000
DEPTH_BOUND = 64
_mro_of = type.__dict__["__mro__"].__get__
_name_of = type.__dict__["__name__"].__get__


class Unsuitable(Exception):
    """The value has no JSON form, or too large a one."""


# Arguments: markers, default, string encoder, indent, key and item separators, sort, skip keys, allow nan.
_encode = json.encoder.c_make_encoder(None, None, json.encoder.encode_basestring, None, ": ", ", ", False, False, False)


def to_json(value, limit):
    """``value`` as JSON text in UTF-8 of at most ``limit`` bytes, or None. Never raises."""
    try:
        walk = _Walk(limit)
        text = "".join(_encode(walk.plain(value, 0), 0)).encode()
    except BaseException:
        return None
    return text if len(text) <= limit else None


class _Walk:
    def __init__(self, limit):
        self.room = limit
        self.nodes = NODES_BOUND
        self.inside = set()

    def plain(self, value, depth):
        self.nodes -= 1
        if self.nodes < 0:
            raise Unsuitable
        kind = type(value)
        simple = SIMPLE.get(kind)
        if simple is not None:
            return simple(self, value)
        return self.compound(value, kind, depth)

    def compound(self, value, kind, depth):
        if depth >= DEPTH_BOUND or id(value) in self.inside:
            raise Unsuitable
        shape = SHAPES.get(kind) or _shape_of(kind)
        if shape is None:
            raise Unsuitable
        self.inside.add(id(value))
        try:
            return shape(self, value, depth + 1)
        finally:
            self.inside.discard(id(value))

    def take(self, size):
        self.room -= size
        if self.room < 0:
            raise Unsuitable

    def array(self, value, depth):
        self.take(2)
        if len(value) > self.nodes:
            raise Unsuitable
        plain = self.plain
        return [plain(item, depth) for item in value]

    def members(self, value, depth):
        if len(value) > self.nodes:
            raise Unsuitable
        try:
            value = sorted(value)
        except Exception:
            value = list(value)
        return self.array(value, depth)

    def mapping(self, value, depth):
        items = dict.items(value) if issubclass(type(value), dict) else value.items()
        return self.pairs(items, len(value), depth)

    def pairs(self, items, count, depth):
        self.take(2)
        if count * 2 > self.nodes:
            raise Unsuitable
        plain = self.plain
        result = {}
        for key, item in items:
            if type(key) is not str:
                key = self.key(key)
            else:
                key = clean(key)
            self.take(len(key) + 4)
            if key in result:  # e.g. 1 and "1"
                raise Unsuitable
            result[key] = plain(item, depth)
        return result

    def key(self, key):
        if type(key) is tuple:
            text = repr(key)
            if len(text) > 1000:
                raise Unsuitable
            return clean(text)
        key = self.plain(key, DEPTH_BOUND - 2)  # an enum may wrap a scalar
        if type(key) is str:
            return key
        if type(key) in (list, dict):
            raise Unsuitable
        if key is None:
            return "null"
        if type(key) is bool:
            return "true" if key else "false"
        return repr(key)


def _none(walk, value):
    return None


def _bool(walk, value):
    return value


def _int(walk, value):
    if -0x8000_0000_0000_0000 <= value <= 0xFFFF_FFFF_FFFF_FFFF:
        return value
    if value.bit_length() > 340_000:
        raise Unsuitable
    digits = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        text = repr(value)
    finally:
        sys.set_int_max_str_digits(digits)
    walk.take(len(text))
    return text


def _float(walk, value):
    if value - value == 0.0:
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def _str(walk, value):
    walk.take(len(value))
    return clean(value)


def _bytes(walk, value):
    walk.take(len(value))
    return {"base64": base64.b64encode(value).decode()}


def _complex(walk, value):
    return {"real": _float(walk, value.real), "imag": _float(walk, value.imag)}


def _iso(walk, value):
    return value.isoformat()


def _timedelta(walk, value):
    """ISO 8601, the sign in front: -P1DT2H."""
    micro = (value.days * 86400 + value.seconds) * 1_000_000 + value.microseconds
    sign, micro = ("-", -micro) if micro < 0 else ("", micro)
    seconds, micro = divmod(micro, 1_000_000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    time = f"{hours}H" * (hours > 0) + f"{minutes}M" * (minutes > 0)
    if seconds or micro:
        fraction = f".{micro:06d}".rstrip("0") if micro else ""
        time += f"{seconds}{fraction}S"
    if not days and not time:
        return "PT0S"
    return f"{sign}P{f'{days}D' * (days > 0)}{'T' * bool(time)}{time}"


def _text(walk, value):
    return _str(walk, str.__str__(str(value)))


SIMPLE = {
    type(None): _none,
    bool: _bool,
    int: _int,
    float: _float,
    str: _str,
    bytes: _bytes,
    bytearray: _bytes,
    complex: _complex,
    datetime.datetime: _iso,
    datetime.date: _iso,
    datetime.time: _iso,
    datetime.timedelta: _timedelta,
    decimal.Decimal: _text,
    fractions.Fraction: _text,
    uuid.UUID: _text,
    ipaddress.IPv4Address: _text,
    ipaddress.IPv6Address: _text,
    pathlib.PurePosixPath: _text,
    pathlib.PosixPath: _text,
    pathlib.PureWindowsPath: _text,
}


def _memoryview(walk, value, depth):
    walk.take(value.nbytes)
    return {"base64": base64.b64encode(value).decode()}


def _named_tuple(walk, value, depth):
    items = tuple(tuple.__iter__(value))
    return walk.pairs(zip(type(value)._fields, items, strict=True), len(items), depth)


def _dataclass(walk, value, depth):
    fields = type(value).__dataclass_fields__
    names = [name for name, field in fields.items() if field._field_type.name == "_FIELD"]
    return walk.pairs([(name, getattr(value, name)) for name in names], len(names), depth)


def _attributes(walk, value, depth):
    """Objects whose ``__dict__`` is their data: pydantic models, SimpleNamespace."""
    fields = object.__getattribute__(value, "__dict__")
    return walk.pairs(list(fields.items()), len(fields), depth)


def _attrs(walk, value, depth):
    names = [field.name for field in type(value).__attrs_attrs__]
    return walk.pairs([(name, getattr(value, name)) for name in names], len(names), depth)


def _enum(walk, value, depth):
    return walk.plain(value.value, depth)


def _range(walk, value, depth):
    return walk.array(value, depth)


def _base(simple, convert):
    """Subclasses of a simple type, reduced to that type first so that what they override does not matter."""
    return lambda walk, value, depth: simple(walk, convert(value))


def _numpy_array(walk, value, depth):
    if value.size > walk.nodes:
        raise Unsuitable
    if value.dtype.kind in "mM":
        value = value.astype("str")
    return walk.plain(value.tolist(), depth)


def _numpy_scalar(walk, value, depth):
    if value.dtype.kind in "mM":
        return clean(str(value))
    item = value.item()
    if type(item) is type(value):  # long double stays what it is
        item = float(item)
    return walk.plain(item, depth)


def _series(walk, value, depth):
    if len(value) > 10_000:
        raise Unsuitable
    parts = {"name": value.name, "index": value.index.tolist(), "data": value.tolist()}
    return walk.pairs(parts.items(), 3, depth)


def _frame(walk, value, depth):
    if value.size > 50_000:
        raise Unsuitable
    return walk.plain(value.to_dict(orient="split"), depth)


SHAPES = {
    list: _Walk.array,
    tuple: _Walk.array,
    collections.deque: _Walk.array,
    set: _Walk.members,
    frozenset: _Walk.members,
    dict: _Walk.mapping,
    collections.OrderedDict: _Walk.mapping,
    collections.defaultdict: _Walk.mapping,
    collections.Counter: _Walk.mapping,
    types.MappingProxyType: _Walk.mapping,
    range: _range,
    type({}.keys()): _Walk.array,
    type({}.values()): _Walk.array,
    type({}.items()): _Walk.array,
    memoryview: _memoryview,
    types.SimpleNamespace: _attributes,
}

# Subclasses of these are shown as the base: the first that matches.
BASES = (
    (enum.Enum, _enum),
    (int, _base(_int, lambda value: int.__add__(value, 0))),
    (float, _base(_float, float.__float__)),
    (str, _base(_str, str.__str__)),
    (bytes, _base(_bytes, lambda value: bytes.__getitem__(value, slice(None)))),
    (bytearray, _base(_bytes, bytearray.copy)),
    (complex, _base(_complex, complex.__complex__)),
    (datetime.date, _base(_iso, lambda value: value)),
    (datetime.time, _base(_iso, lambda value: value)),
    (datetime.timedelta, _base(_timedelta, lambda value: value)),
    (decimal.Decimal, _base(_text, lambda value: value)),
    (pathlib.PurePath, _base(_text, lambda value: value)),
    (uuid.UUID, _base(_text, lambda value: value)),
    (dict, _Walk.mapping),
    (list, lambda walk, value, depth: walk.array(list.__getitem__(value, slice(None)), depth)),
    (tuple, lambda walk, value, depth: walk.array(tuple.__getitem__(value, slice(None)), depth)),
    (set, _Walk.members),
    (frozenset, _Walk.members),
    (collections.UserDict, lambda walk, value, depth: walk.plain(value.data, depth)),
    (collections.UserList, lambda walk, value, depth: walk.plain(value.data, depth)),
    (collections.ChainMap, lambda walk, value, depth: walk.pairs(list(value.items()), len(value), depth)),
)


def _shape_of(kind):
    """How values of a class we have no entry for are shown; None if they are not."""
    if issubclass(kind, enum.Enum):
        return _enum
    if issubclass(kind, tuple) and _tuple_fields(kind) is not None:
        return _named_tuple
    if type(kind.__dict__.get("__dataclass_fields__")) is dict:
        return _dataclass
    if "__attrs_attrs__" in kind.__dict__:
        return _attrs
    family = _mro_of(kind)
    for base in family:
        if base.__module__ == "pydantic.main" and _name_of(base) == "BaseModel":
            return _attributes
        if base.__module__ == "numpy":
            name = _name_of(base)
            if name == "ndarray":
                return _numpy_array
            if name == "generic":
                return _numpy_scalar
        elif base.__module__ in ("pandas.core.series", "pandas.core.frame", "pandas"):
            name = _name_of(base)
            if name == "Series":
                return _series
            if name == "DataFrame":
                return _frame
    for base, shape in BASES:
        for member in family:
            if member is base:
                return shape
    return None
