"""The command line of `python-wasm/conformance/run`."""
import argparse
import fnmatch
import json
import sys
import threading
from pathlib import Path

from builder.context import BuildError, Context

from . import report, suites
from .harness import REPOSITORY, START, Settings, run_all


def main() -> int:
    p = argparse.ArgumentParser(prog="run", description="Runs CPython's or numpy's own tests in the guest and writes docs/SUITE-tests.md.")
    p.add_argument("suite", choices=sorted(suites.SUITES))
    p.add_argument("--only", action="append", metavar="PATTERN", help="only test files that match, e.g. 'test.test_json*'; the rest of the report is that of the last run")
    p.add_argument("--sources", type=Path, help="a folder with archives, found by their digests, as for python-wasm/build")
    p.add_argument("--build", type=Path, default=REPOSITORY / "target/python-wasm", help="where python-wasm/build built: the C modules of the tests come from there")
    p.add_argument("--runner", type=Path, default=REPOSITORY / "target/release/examples/packages_folder", help="made by cargo build --release --example packages_folder")
    p.add_argument("--plain", action="store_true", help="without C modules of the tests: needs only prims-wasm; cpython only")
    p.add_argument("--program", type=Path, default=REPOSITORY / "target/release/prims-wasm", help="the prims-wasm for --plain")
    p.add_argument("--work", type=Path, default=REPOSITORY / "target/conformance", help="where tests are unpacked and results kept")
    p.add_argument("--cache", type=Path, help="the cache folder of prims-wasm (default: one below --work)")
    p.add_argument("--timeout", type=int, help="seconds of wall clock for one guest")
    p.add_argument("--jobs", type=int, default=2, help="guests that run at once")
    p.add_argument("--no-run", action="store_true", help="write the report of the last results again")
    p.add_argument("--report", type=Path, help="where the report goes (default: docs/SUITE-tests.md)")
    a = p.parse_args()
    try:
        return run(a)
    except BuildError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2


def run(a) -> int:
    suite = suites.SUITES[a.suite]
    ctx = Context(a.work, REPOSITORY / "python-wasm/dist", a.jobs, a.sources)
    kept = ctx.work / f"{suite.name}.json"
    done = json.loads(kept.read_text()) if kept.exists() and (a.only or a.no_run) else {}
    if not a.no_run:
        execute(a, suite, ctx, done, kept)
    return report.write(suite, done, a.report or REPOSITORY / f"docs/{suite.name}-tests.md")


def execute(a, suite: suites.Suite, ctx: Context, done: dict, kept: Path) -> None:
    if a.plain and suite.needs_build:
        raise BuildError(f"the tests of {suite.name} need its C modules, so --plain cannot be")
    program = a.program if a.plain else a.runner
    if not program.exists():
        raise BuildError(f"{program} is not there; `cargo build --release --example packages_folder` makes it, --plain goes without")
    build = None if a.plain else Context(a.build, ctx.dist, a.jobs, a.sources)
    mounts, site = suite.prepare(ctx, build)
    (mounts / "conformance_driver.py").write_bytes((suites.HERE / suite.driver).read_bytes())
    start = ctx.work / "start.py"
    start.write_text(START)
    timeout = a.timeout or suite.timeout
    settings = Settings(program.resolve(), mounts, start, (a.cache or ctx.work / "cache").resolve(), site, suites.digest(site) if site else "", suite.preload,
                        timeout, 3 * timeout, jobs=a.jobs, request=suite.request)
    units = [u for u in suite.units(mounts, site) if not a.only or any(fnmatch.fnmatch(u, o) for o in a.only)]
    lock = threading.Lock()

    def save():
        with lock:
            kept.write_text(json.dumps(dict(sorted(done.items())), indent=1))

    run_all(settings, units, done, save)
