"""Runs one file of pytest tests in the guest; writes what driver_unittest.py writes, in the same form."""
import json
import os
import sys
import time
import types
from collections import Counter

clock = time.perf_counter
stream = open("/workspace/results.jsonl", "ab", buffering=0)
SITE = "/usr/local/lib/python3.13/site-packages"
RANK = ["pass", "skip", "expected failure", "unexpected success", "fail", "error"]


def emit(**record):
    stream.write(json.dumps(record).encode() + b"\n")


def reason(report) -> str:
    if isinstance(report.longrepr, tuple):  # a skip: file, line, text
        return str(report.longrepr[2])
    return str(report.longrepr or "")[-3000:]


class Reporter:
    def __init__(self, done):
        self.done, self.module = Counter(done), ("done", "")

    def pytest_collectreport(self, report):
        if report.failed:
            self.module = ("error", reason(report))
        elif report.skipped and not report.result:
            self.module = ("skip", reason(report))

    def pytest_collection_modifyitems(self, items):
        kept = []
        for item in items:
            if self.done[item.nodeid] > 0:
                self.done[item.nodeid] -= 1
            else:
                kept.append(item)
        items[:] = kept

    def pytest_runtest_logstart(self, nodeid):
        self.outcome, self.why, self.begin = "pass", "", clock()
        emit(start=nodeid)

    def pytest_runtest_logreport(self, report):
        expected = hasattr(report, "wasxfail")
        if report.skipped:
            outcome = "expected failure" if expected else "skip"
        elif report.passed:  # where an unexpected success matters, pytest reports it as a failure
            outcome = "pass"
        else:
            outcome = "fail" if report.when == "call" else "error"
        if RANK.index(outcome) > RANK.index(self.outcome):
            self.outcome, self.why = outcome, reason(report)

    def pytest_runtest_logfinish(self, nodeid):
        emit(end=nodeid, outcome=self.outcome, why=self.why, seconds=round(clock() - self.begin, 3))


def stand_in(name):
    """Some files import what the guest does not have first of all and use it in few tests. The names are there and refuse."""
    def missing(*args, **kwargs):
        raise ImportError(f"{name} is not available in this sandbox")

    def attribute(of):
        if of.startswith("__") or name == "mmap":
            raise AttributeError(of)
        return type(of, (), {"__init__": missing})

    module = types.ModuleType(name)
    module.__getattr__, module.sizeof, module.mmap = attribute, missing, missing
    sys.modules[name] = module


def main():
    stand_in("ctypes")
    stand_in("mmap")
    with open("/workspace/request.json") as f:
        request = json.load(f)
    sys.dont_write_bytecode = True
    os.makedirs("/tmp/run")
    os.chdir("/tmp/run")
    import pytest

    reporter = Reporter(request["done"])
    options = ["-q", "--assert=plain", "--capture=sys", "-p", "no:cacheprovider", "-p", "no:faulthandler", "-p", "no:logging", *request["options"]]
    status = pytest.main([*options, f"{SITE}/{request['module']}"], plugins=[reporter])
    if status in (0, 1, 5) or reporter.module[0] != "done":
        emit(module=reporter.module[0], why=reporter.module[1])
    else:
        emit(module="error", why=f"pytest ended with status {status!r}")
