"""The command line: `build [build] [--check] [--work DIR] [--jobs N] [--sources DIR] [--until STEP]`."""
import argparse
import os
import sys
import time
from pathlib import Path

from . import cpython, fetch, libraries, numpy, runtime
from .context import HERE, BuildError, Context
from .toolchain import Toolchain


def steps(ctx: Context):
    tools = Toolchain(ctx)
    yield "fetch", lambda: fetch.fetch(ctx)
    yield "toolchain", tools.build
    yield "runtime", lambda: runtime.build(ctx, tools)
    yield "libraries", lambda: libraries.build(ctx, tools)
    yield "native", lambda: cpython.build_native(ctx)
    yield "cpython", lambda: cpython.build_library(ctx, tools)
    yield "link", lambda: cpython.link(ctx, tools)
    yield "numpy", lambda: numpy.build(ctx, tools)


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--work", type=Path, default=HERE.parent / "target/python-wasm")
    p.add_argument("--jobs", type=int, default=os.cpu_count())
    p.add_argument("--sources", type=Path)
    p.add_argument("--until")
    a = p.parse_args()
    ctx = Context(a.work, HERE / "dist", a.jobs, a.sources)
    try:
        for name, step in steps(ctx):
            t = time.monotonic()
            step()
            print(f"{name:12s} {time.monotonic() - t:6.1f} s", flush=True)
            if name == a.until: break
    except BuildError as e:
        print(f"error: {e}", file=sys.stderr)
        return 1
    return 0
