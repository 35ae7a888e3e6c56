# The guest compiles a program in one step. What comes out is what going through a tree of Python objects gives, or the same error.
import argparse
import dataclasses
import json
import typing

from prims_runtime import _program

SOURCES = [
    "", "# nothing", "1 + 1", "'text'", "x = 1", "x = 1\nx", "f'{1:>{2}}'\nawait f()", "[i for i in range(3)]\n", "def f():\n    'd'\nf\n;",
    "from __future__ import annotations\nx: int = 1\nx", "if True:\n    1", "(y := 5,\n 6)", "lambda: (yield)", "ä = 'ü'\nä", "a.b[c](*d)",
]
for module in (argparse, dataclasses, json, typing):
    with open(module.__file__) as file:
        SOURCES.append(file.read())


def outcome(compile_program, source):
    try:
        return compile_program(source, "<code>", _program.VALUE)
    except SyntaxError as error:
        return error.msg, error.args[1]


ways = _program.compile_program, _program.compile_in_steps
different = [source[:80] for source in SOURCES if outcome(ways[0], source) != outcome(ways[1], source)]
[ways[0] is ways[1], len(SOURCES), different]
