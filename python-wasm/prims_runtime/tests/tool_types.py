"""Writes tool_types.json: what pydantic makes of types and inputs. Needs Python 3.11 or newer with pydantic 2; not run by the tests.

    python3 tool_types.py > tool_types.json
"""

import collections
import datetime
import json
import pathlib
import sys
import typing

TYPES = """str int float bool bytes None object typing.Any list list[str] typing.List[int] set set[int] frozenset[int]
dict dict[str,int] dict[int,float] typing.Dict[str,list[int]] typing.Mapping[str,int] typing.OrderedDict[str,int]
tuple typing.Tuple tuple[int,str] tuple[int,...] tuple[()] typing.Tuple[typing.Optional[str],str]
typing.Optional[int] typing.Optional[None] int|None int|str float|int typing.Union[int,str,None]
typing.Union[list[str],dict[str,typing.Optional[float]]] typing.Union[int,typing.Union[str,float]]
typing.Literal['a'] typing.Literal['a','b'] typing.Literal[1,2] typing.Literal['a',1] typing.Literal[True]
typing.Literal[None,'a'] typing.Optional[typing.Literal['a','b']] typing.Annotated[int,'meta'] typing.Final[int]
typing.Sequence[int] typing.Iterable[int] typing.AbstractSet[int] typing.Deque[int] typing.Counter[str]
datetime.datetime datetime.date datetime.time datetime.timedelta typing.Union[datetime.date,int]
pathlib.Path pathlib.PurePosixPath typing.Hashable typing.Pattern 'str' list['int'] typing.Optional['int']
datetime.timezone typing.Callable[[int],str] typing.Iterator[int] typing.NoReturn range Foo typing.Nope""".split()

INPUTS = [
    "1", '"1"', '" 1 "', '"1.0"', "1.0", "1.5", '"x"', "true", "null", '"true"', '"Off"', "2", "[]", "[1]", '["a"]',
    '[1,"a"]', "[1,2,3]", "[[1]]", "{}", '{"a":1}', '{"1":"2"}', '{"a":null}', '{"a":["x"]}', '"2000-01-01"',
    '"2000-01-01T10:20:30Z"', '"2000-01-01 10:20:30.5+02:00"', '"2000-13-01"', '"10:20"', '"10:20:30.5"', '"P1DT2H"',
    '"-PT5M"', '"1 day, 2:03:04"', "1700000000", "1700000000000", "86400", '""', '"a"', '"NaN"', '"1_000"', '"__"',
    '"(.*"',
]  # fmt: skip


def namespace():
    names = {kind.__name__: kind for kind in (str, int, float, bool, list, dict, set, tuple)}
    return names | {"typing": typing, "datetime": datetime, "pathlib": pathlib}


def shown(value):
    """A value as text that says its type, and is the same for equal values."""
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return f"{type(value).__name__} {value.isoformat()}"
    if isinstance(value, (set, frozenset)):
        return f"{type(value).__name__} {sorted(map(repr, value))}"
    if isinstance(value, collections.OrderedDict):
        return f"OrderedDict {list(value.items())}"
    if isinstance(value, pathlib.PurePath):
        return f"path {value}"
    return repr(value)


def main():
    import pydantic
    import pydantic.json_schema

    class Generate(pydantic.json_schema.GenerateJsonSchema):
        def tuple_schema(self, schema):
            found = super().tuple_schema(schema)
            if "prefixItems" in found:
                found["items"] = found.pop("prefixItems")
                del found["maxItems"]
                found["additionalItems"] = False
            return found

    table = {}
    for text in TYPES:
        try:
            adapter = pydantic.TypeAdapter(eval(text, namespace()))
            row = {"schema": adapter.json_schema(schema_generator=Generate), "read": {}}
        except Exception:
            table[text] = None
            continue
        for given in INPUTS:
            try:
                value = adapter.validate_json(given)
                found = shown(list(value) if "Iterable" in text else value)
            except pydantic.ValidationError as error:
                found = [[problem["type"], *map(str, problem["loc"])] for problem in error.errors()]
            row["read"][given] = found
        table[text] = row
    json.dump(table, sys.stdout, indent=None, separators=(",", ":"))


if __name__ == "__main__":
    main()
