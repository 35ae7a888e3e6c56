"""Building an image: import what runs will want, go through the motions once, tidy up."""

from ._own import BUILTINS as __builtins__  # noqa: F401, I001

import gc
import importlib
import io
import json
import os
import random
import sys

from . import _entropy, _error, _loop, _run, _sandbox, _streams

# The modules of the standard library that programs use most. Each costs image size only: a clone maps the image.
DEFAULT_PRELOAD = (
    "abc", "argparse", "array", "ast", "asyncio", "base64", "bisect", "calendar", "collections", "collections.abc",
    "concurrent.futures", "concurrent.futures.thread", "configparser", "contextlib", "contextvars", "copy", "csv",
    "dataclasses", "datetime", "decimal", "difflib", "enum", "fnmatch", "fractions", "functools", "glob", "gzip",
    "hashlib", "heapq", "hmac", "html", "html.parser", "http.client", "importlib.metadata", "importlib.resources",
    "inspect", "io", "itertools", "json", "keyword", "linecache", "locale", "logging", "math", "mimetypes",
    "numbers", "operator", "os", "pathlib", "pickle", "platform", "pprint", "queue", "random", "re", "secrets",
    "shlex", "shutil", "signal", "socket", "ssl", "stat", "statistics", "string", "struct", "subprocess", "sys",
    "tempfile", "textwrap", "threading", "time", "timeit", "tokenize", "traceback", "types", "typing",
    "unicodedata", "urllib.error", "urllib.parse", "urllib.request", "uuid", "warnings", "weakref",
    "xml.etree.ElementTree", "zipfile", "zlib", "zoneinfo",
)  # fmt: skip


def prepare(request, handle):
    """Import the default modules and those the request names; the reply says which could not be, and why.

    ``handle`` is the door that requests come through.
    """
    _run.set_up()
    _streams.install(None)
    wanted = dict.fromkeys(DEFAULT_PRELOAD)
    wanted.update(dict.fromkeys(name for name in request.get("preload") or () if name != "@default"))
    imported, skipped = [], []
    for name in wanted:
        try:
            importlib.import_module(name)
        except BaseException as error:
            found = _error.describe(error, "")
            skipped.append({"module": name, "error": f"{found['type']}: {found['message'][:500]}"})
        else:
            imported.append(name)
    _entropy.collect()
    _warm_up(handle)
    _reset()
    _entropy.collect()
    gc.collect()
    gc.freeze()
    return {"ok": True, "imported": imported, "skipped": skipped, "python": sys.version.split()[0]}


# CPython specializes code that ran often enough, by writing into it; what is specialized before the snapshot is not written again
# by every run.
REHEARSALS = 20

WARM_UP = (
    "1+1",
    "'a'",
    "import json, math\nprint('x', 1, 2.5, [1], {'a': 1})\n{'a': [1, 2.5, 'x', None, (1,)], 'b': {1}}",
    "def f():\n    return 1 / 0\nf()",
    "undefined_name",
    "1 +",
    "import sys; sys.exit(1)",
    "import asyncio\nawait asyncio.sleep(0)\n[x for x in range(3)]",
    "import asyncio\nasync def f():\n    await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))\nasyncio.run(f())",
    "class A:\n    pass\nA()",
    "input()",
)


def _warm_up(handle):
    """Programs of all kinds, so that code paths are specialized and caches filled; output goes nowhere.

    They come through the same door as those of the host, and look the same.
    """
    state = random.getstate()
    _run.practise(io.StringIO())
    try:
        for code in WARM_UP:
            request = {"op": "run", "code": code, "filename": "<code>", "argv": [], "env": {}, "stdin": None}
            request["max_result_bytes"] = _run.DEFAULT_RESULT_BYTES
            request = json.dumps(request, separators=(",", ":")).encode()
            for _ in range(REHEARSALS):
                handle(request)
    finally:
        _run.practise(None)
        random.setstate(state)


def _reset():
    """Leave nothing of the rehearsals, nor of what the imports did to the process."""
    _run.leave_main()
    _streams.install(None)
    if sys.platform == "wasi":
        _loop.install()  # a new policy: the old one remembers that a loop was set
    os.environ.clear()
    os.environ.update(_sandbox.BASE_ENVIRONMENT)
