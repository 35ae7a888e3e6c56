"""Proves that side modules share exceptions, jumps, type information and the C++ library with one another and with the interpreter."""

EXPECTED = {
    "constructed": 42,
    "within": "here",
    "across": "there5 int9 base any",
    "through_interpreter": "through the interpreter11",
    "through_c_library": "from a comparison7",
    "destructors": 11,
    "rethrow": "outer inner again1",
    "library_throws": "out_of_range invalid_argument bad_alloc bad_function_call regex_error",
    "types": "same 4",
    "jump_within": 43,
    "jump_across": 42,
    "jump_through_c_library": 6,
    "jump_through_interpreter": 8,
    "library": "a1 b2 4950 1.5 6 true",
}


def run():
    """What each check gave, by name; equal to EXPECTED when all is well."""
    from . import _catcher, _jumper, _thrower

    special = {
        "constructed": _thrower.constructed,
        "through_interpreter": lambda: _catcher.through_interpreter(_thrower.throw_through_interpreter),
        "jump_through_interpreter": lambda: _jumper.protect(_jumper.jump),
    }
    return {name: (special.get(name) or getattr(_catcher, name))() for name in EXPECTED}


def check():
    """The names of the checks that failed."""
    seen = run()
    return [f"{name}: {seen[name]!r}, expected {expected!r}" for name, expected in EXPECTED.items() if seen[name] != expected]
