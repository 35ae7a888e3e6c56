"""The command line of `python-wasm/build`."""
import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from . import cpython, dist, fetch, libraries, licenses, needed, numpy, runtime, selftest, stdlib
from .context import HERE, BuildError, Context
from .toolchain import Toolchain


def steps(ctx: Context):
    """Every step in order. A step that was done with the same inputs does nothing."""
    tools = Toolchain(ctx)
    yield "fetch", lambda: fetch.fetch(ctx)
    yield "toolchain", tools.build
    yield "runtime", lambda: runtime.build(ctx, tools)
    yield "libraries", lambda: libraries.build(ctx, tools)
    yield "native", lambda: cpython.build_native(ctx)
    yield "cpython", lambda: cpython.build_library(ctx, tools)
    yield "link", lambda: cpython.link(ctx, tools)
    yield "stdlib", lambda: stdlib.build(ctx)
    yield "numpy", lambda: numpy.build(ctx, tools)
    yield "needed", lambda: needed.build(ctx, tools)
    yield "selftest", lambda: selftest.build(ctx, tools)
    yield "licenses", lambda: licenses.build(ctx)
    yield "dist", lambda: dist.build(ctx)


def main() -> int:
    p = argparse.ArgumentParser(prog="build", description="Builds the guest: CPython, its C libraries and numpy as WebAssembly.")
    p.add_argument("command", nargs="?", choices=["build", "fetch"], default="build", help="fetch: only get and check the sources")
    p.add_argument("--check", action="store_true", help="build in a fresh folder and compare with the committed manifest; changes nothing in the repository")
    p.add_argument("--work", type=Path, help="the folder everything is built in (default: target/python-wasm; with --check: a temporary one)")
    p.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many programs run at once")
    p.add_argument("--sources", type=Path, help="a folder with source archives, found by their digests; what is not there is downloaded")
    p.add_argument("--no-lto", dest="lto", action="store_false", help="link faster, for development; the result runs slower and is not what is shipped")
    p.add_argument("--profile", choices=["use", "generate", "off"], default="use", help="generate: an interpreter with counters, for profile/train.py")
    p.add_argument("--until", metavar="STEP", help="stop after this step")
    a = p.parse_args()
    try:
        return check(a) if a.check else build(a)
    except BuildError as e:
        print(f"error: {e}", file=sys.stderr)
        return 1


def build(a) -> int:
    ctx = Context(a.work or HERE.parent / "target/python-wasm", HERE / "dist", a.jobs, a.sources, a.lto, a.profile)
    run_steps(ctx, "fetch" if a.command == "fetch" else a.until)
    return 0


def check(a) -> int:
    work = a.work or Path(tempfile.mkdtemp(prefix="python-wasm-"))
    ctx = Context(work, work / "dist", a.jobs, a.sources)
    run_steps(ctx, None)
    differences = dist.compare(HERE / "dist", ctx.dist)
    for line in differences:
        print(line)
    if not a.work:
        shutil.rmtree(work)
    print("the build gives other bytes than the committed ones" if differences else "the build gives the committed bytes")
    return 1 if differences else 0


def run_steps(ctx: Context, until: str | None):
    for name, step in steps(ctx):
        start = time.monotonic()
        step()
        print(f"{name:10s} {time.monotonic() - start:7.1f} s", flush=True)
        if name == until:
            return
