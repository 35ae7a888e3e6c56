"""Runs one module of unittest tests in the guest and writes what became of each test to /workspace/results.jsonl.

The lines are written as things happen, so that a guest that is stopped leaves everything up to that moment:
{"start": id} before a test, {"end": id, "outcome": ..., "why": ..., "seconds": ...} after it, {"fixture": id, ...} for a
class or module whose set-up failed or was skipped, {"module": "skip" | "error" | "done", "why": ...} for the file.
What /workspace/request.json lists as done is left out: a second guest goes on where the first was stopped.
"""
import errno
import importlib
import importlib.util
import json
import os
import sys
import time
import traceback
import unittest
from collections import Counter

# The tests replace all sorts of things; what is needed after them is looked up before.
clock, dumps, fdopen_raw = time.perf_counter, json.dumps, open
RESULTS = "/workspace/results.jsonl"
stream = fdopen_raw(RESULTS, "ab", buffering=0)


def emit(**record):
    global stream
    line = dumps(record).encode() + b"\n"
    try:
        stream.write(line)
    except (OSError, ValueError):  # a test closed all the files it could find
        stream = fdopen_raw(RESULTS, "ab", buffering=0)
        stream.write(line)


def text(err) -> str:
    try:
        return "".join(traceback.format_exception(*err))[-3000:]
    except BaseException as e:
        return f"{err[0].__name__} (its traceback cannot be formatted: {type(e).__name__})"


RANK = ["pass", "skip", "expected failure", "unexpected success", "fail", "error"]


class Result(unittest.TestResult):
    current = None

    def startTest(self, test):
        super().startTest(test)
        self.current, self.outcome, self.why, self.begin = test, None, "", clock()
        emit(start=test.id())

    def stopTest(self, test):
        super().stopTest(test)
        self.current = None
        emit(end=test.id(), outcome=self.outcome or "pass", why=self.why, seconds=round(clock() - self.begin, 3))

    def note(self, test, outcome, why=""):
        if self.current is None:
            emit(fixture=test.id(), outcome=outcome, why=why)
        elif self.outcome is None or RANK.index(outcome) > RANK.index(self.outcome):
            self.outcome, self.why = outcome, why

    def addSuccess(self, test):
        self.note(test, "pass")

    def addSkip(self, test, reason):
        if test is self.current or self.current is None:  # not a part of a test, a subTest
            self.note(test, "skip", str(reason))

    def addExpectedFailure(self, test, err):
        self.note(test, "expected failure")

    def addUnexpectedSuccess(self, test):
        self.note(test, "unexpected success")

    def addFailure(self, test, err):
        self.note(test, "fail", text(err))

    def addError(self, test, err):
        self.note(test, "error", text(err))

    def addSubTest(self, test, subtest, err):
        if err is not None:
            outcome = "fail" if issubclass(err[0], test.failureException) else "error"
            self.note(test, outcome, f"{subtest.id()}\n{text(err)}"[:3500])


def leave_out(suite, done: Counter):
    kept = []
    for test in suite._tests:
        if isinstance(test, unittest.TestSuite):
            leave_out(test, done)
            kept.append(test)
        elif done[test.id()] > 0:
            done[test.id()] -= 1
        else:
            kept.append(test)
    suite._tests = kept


unlink_really = os.unlink


def unlink(path):
    """The folders on sys.path are read-only, and tests clean up there what they never made: not there, not an error."""
    try:
        unlink_really(path)
    except OSError as e:
        if e.errno != errno.EROFS or os.path.lexists(path):
            raise


def main():
    with open("/workspace/request.json") as f:
        request = json.load(f)
    os.makedirs("/tmp/test_python")
    os.chdir("/tmp/test_python")
    from test import support
    from test.support import os_helper, socket_helper
    os_helper._unlink = unlink
    socket_helper._bind_nix_socket_error = OSError("there are no sockets")
    support.TEST_MODULES_ENABLED = importlib.util.find_spec("_testcapi") is not None
    support.use_resources = request["resources"]
    support.record_original_stdout(sys.stdout)
    try:
        module = importlib.import_module(request["module"])
    except unittest.SkipTest as e:
        return emit(module="skip", why=str(e))
    except BaseException:
        return emit(module="error", why=text(sys.exc_info()))
    loader = unittest.TestLoader()
    try:
        suite = loader.loadTestsFromModule(module)
    except unittest.SkipTest as e:
        return emit(module="skip", why=str(e))
    leave_out(suite, Counter(request["done"]))
    emit(count=suite.countTestCases())
    suite(Result())
    emit(module="done", why="")
