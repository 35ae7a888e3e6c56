"""Runs test files in fresh guests, one guest for each file, and collects what became of every test."""
import json
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent

# A guest that was stopped ends one test. The rest of its file goes on in a new one, this many times.
RESUMES = 8


# What the program is given: no name of ours may stand in the tests' __main__.
START = "__import__('sys').path.append('/mounts')\n__import__('conformance_driver').main()\n"


@dataclass
class Settings:
    program: Path  # prims-wasm, or examples/packages_folder if there is a site
    mounts: Path  # shown to the guest as /mounts
    start: Path  # a file with START
    cache: Path
    site: Path | None = None  # a folder of packages
    digest: str = ""  # names its content
    preload: str = "@default"  # what the image imports
    timeout: int = 120  # seconds of wall clock for one guest
    limit: int = 360  # seconds of wall clock for one file, all its guests together
    memory: int = 1 << 30
    jobs: int = 2
    request: dict = field(default_factory=dict)  # what else the driver wants to know

    def command(self, workspace: Path) -> list[str]:
        if self.site is None:
            words = ["run", "--json", "--timeout", f"{self.timeout}s", "--memory", self.memory, "--fuel", 10**15, "--files", "5g", "--cache-dir", self.cache,
                     "--mounts", self.mounts, "--workspace", workspace, self.start]
        else:
            words = [self.cache, self.site, self.digest, self.preload, workspace, self.mounts, self.timeout, self.memory, self.start]
        return ["nice", *map(str, [self.program, *words])]


def run_all(settings: Settings, units: list[str], done: dict[str, dict], save) -> None:
    """Runs every unit and puts its result into `done`; `save()` is called after each."""
    total = len(units)

    def one(unit: str):
        try:
            done[unit] = run_unit(settings, unit)
        except Exception as e:  # the rest of a long run must not be lost
            done[unit] = {"module": {"outcome": "error", "why": f"the harness: {type(e).__name__}: {e}"}, "tests": [], "seconds": 0, "guests": 0}
        save()
        counts = Counter(t["outcome"] for t in done[unit]["tests"])
        finished[0] += 1
        summary = ", ".join(f"{n} {outcome}" for outcome, n in counts.most_common()) or done[unit]["module"]["outcome"]
        print(f"[{finished[0]}/{total}] {unit}: {summary} ({done[unit]['seconds']:.0f} s)", flush=True)

    finished = [0]
    with ThreadPoolExecutor(settings.jobs) as pool:
        list(pool.map(one, units))


def run_unit(settings: Settings, unit: str) -> dict:
    """{"module": {"outcome", "why"}, "tests": [{"id", "outcome", "why", "seconds"}], "seconds", "guests"}"""
    tests: list[dict] = []
    fixtures: dict[str, dict] = {}
    begin = time.monotonic()
    for guests in range(1, RESUMES + 2):
        module, new, running = run_guest(settings, unit, Counter(t["id"] for t in tests))
        for t in new:
            if t.pop("fixture", False):
                fixtures[t["id"]] = t
            else:
                tests.append(t)
        if running is None or time.monotonic() - begin > settings.limit:
            break
    if running is not None:
        module["why"] = f"the file was given up after {guests} guests: {module['why']}"
    return {"module": module, "tests": tests + list(fixtures.values()), "seconds": round(time.monotonic() - begin, 1), "guests": guests}


def run_guest(settings: Settings, unit: str, done: Counter):
    """One guest: the state of the module, the new tests, and the test that was running when the guest was stopped, if it was."""
    folder = Path(tempfile.mkdtemp(prefix="conformance-"))
    try:
        (folder / "request.json").write_text(json.dumps(settings.request | {"module": unit, "done": done}))
        result = subprocess.run(settings.command(folder), stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
        results = folder / "results.jsonl"
        lines = results.read_text(errors="replace").splitlines() if results.exists() else []
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    try:
        report = json.loads(result.stdout)
    except ValueError:
        report = {"status": "failed", "reason": result.stderr[-2000:]}
    return read(lines, report)


def read(lines: list[str], report: dict):
    tests, running, module = [], None, None
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:  # the last line of a guest that was stopped
            continue
        if "start" in record:
            running = record["start"]
        elif "end" in record:
            running = None
            tests.append({"id": record["end"], **{k: record[k] for k in ("outcome", "why", "seconds")}})
        elif "fixture" in record:
            tests.append({"id": record["fixture"], "outcome": record["outcome"], "why": record["why"], "seconds": 0, "fixture": True})
        elif "module" in record:
            module = {"outcome": record["module"], "why": record["why"]}
    if module is not None:
        return module, tests, None
    outcome, why = stopped(report)
    if running is None:
        return {"outcome": outcome, "why": f"outside of a test: {why}"}, tests, None
    tests.append({"id": running, "outcome": outcome, "why": why, "seconds": 0})
    return {"outcome": outcome, "why": why}, tests, running


def stopped(report: dict) -> tuple[str, str]:
    """How a guest ended that did not come to its end, in one word and with what the program says of it."""
    tail = report.get("stderr", "")[-1500:]
    reason = report.get("reason") or report.get("error", {}).get("traceback") or report["status"]
    if not isinstance(reason, str):
        reason = json.dumps(reason)
    detail = {k: report[k] for k in ("detail", "message", "trap", "code") if k in report}
    why = f"{report['status']}: {reason} {json.dumps(detail) if detail else ''}\n{tail}"
    return ("timeout" if reason == "wall_clock" else "crash"), why
