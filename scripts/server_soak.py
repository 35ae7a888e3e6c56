"""Mixed load over HTTP for a while: each answer must be that of its own request, and nothing may be held at the end that was not held at the beginning."""

import http.client
import random
import re
import statistics
import threading
import time

from server_client import Client, Failed

CLIENTS = 6
MARKS = 20
EXPIRY = 61  # a server looks for expired sessions once a minute
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "soak", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Turn:
    """One kind of work at a time; every method says whether all answers were right."""

    def __init__(self, client, rng):
        self.client, self.rng = client, rng
        self.number = rng.randrange(10**9)
        self.kind = rng.choice(list(KINDS))

    def __call__(self):
        return KINDS[self.kind](self)

    def printed(self, code, status, **arguments):
        answer = self.client("run_code", code=f"print({self.number}, flush=True)\n{code}", **arguments)
        if answer["status"] == "refused" and answer["error"]["type"] == "busy":
            self.kind = "busy"
            return True
        return answer["status"] == status and answer["stdout"].strip() == str(self.number)

    def run(self):
        answer = self.client("run_code", code=f"{self.number}", globals={"given": self.number})
        return answer.get("return_value") == self.number

    def raises(self):
        return self.printed(f"raise ValueError({self.number})", "error")

    def crash(self):
        return self.printed("import os\nos.abort()", "crashed")

    def timeout(self):
        return self.printed("while True: pass", "timeout", timeout_ms=100)

    def memory(self):
        return self.printed("blocks = []\nwhile True: blocks.append(bytearray(1 << 20))", "error", memory_mb=64)

    def lines(self):
        """Output as it comes: lines of nobody else."""
        code = f"for at in range(20): print({self.number}, at)"
        answer = self.client("run_code", code=code)
        expected = [f"{self.number} {at}" for at in range(20)]
        self.client.initialize()
        level = {"jsonrpc": "2.0", "id": 0, "method": "logging/setLevel", "params": {"level": "info"}}
        self.client.post(level)
        self.client.messages()
        answer, told = self.client.live({"progressToken": self.number}, "run_code", code=code)
        lines = [message["params"]["data"] for message in told if message["method"] == "notifications/message"]
        tokens = {message["params"]["progressToken"] for message in told if message["method"] == "notifications/progress"}
        self.client.identifier = None
        return answer["stdout"].splitlines() == expected == lines and tokens <= {self.number}

    def cancel(self):
        """One connection runs, another one of the same client cancels."""
        self.client.initialize()
        other = Client(self.client.port)
        other.identifier = self.client.identifier
        stop = threading.Event()

        def cancels():
            params = {"requestId": self.client.number + 1}
            while not stop.wait(0.05):
                other.post({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
                other.messages()
            other.hang_up()

        thread = threading.Thread(target=cancels)
        params = {"name": "run_code", "arguments": {"code": f"print({self.number}, flush=True)\nwhile True: pass"}}
        thread.start()
        self.client.number += 1
        self.client.post({"jsonrpc": "2.0", "id": self.client.number, "method": "tools/call", "params": params})
        stop_after = threading.Timer(20, stop.set)
        stop_after.start()
        answers = self.client.messages()
        stop.set()
        stop_after.cancel()
        thread.join()
        self.client.identifier = None
        # What is cancelled is not answered, or its answer says so.
        return "cancelled" in str(answers) or not answers

    def hang_up(self):
        code = f"import time\nopen('output/x', 'w').write('x')\ntime.sleep(0.2)\n{self.number}"
        self.client.number += 1
        params = {"name": "run_code", "arguments": {"code": code}}
        self.client.post({"jsonrpc": "2.0", "id": self.client.number, "method": "tools/call", "params": params})
        time.sleep(self.rng.random() / 10)
        self.client.hang_up()
        return True

    def session(self):
        """Variables, a fork, a reset; half of them are left to expire."""
        session = self.client("create_session", stateful=True)["session_id"]
        self.client("run_code", code=f"x = {self.number}", session_id=session)
        fork = self.client("fork_session", session_id=session)["session_id"]
        self.client("run_code", code="x = -x", session_id=fork)
        found = [self.client("run_code", code="x", session_id=which).get("return_value") for which in (session, fork)]
        self.client("reset_session", session_id=session)
        again = self.client("run_code", code="'x' in globals()", session_id=session).get("return_value")
        self.client("close_session", session_id=fork)
        if self.rng.random() < 0.5:
            self.client("close_session", session_id=session)
        return found == [self.number, -self.number] and again is False

    def expire(self):
        began = time.monotonic()
        session = self.client("create_session", ttl_s=1)["session_id"]
        there = self.client("run_code", code=f"{self.number}", session_id=session)
        # On a busy machine it may be gone before its first call.
        is_late = time.monotonic() - began >= 1 and there["status"] == "refused"
        time.sleep(1.1)
        gone = self.client("run_code", code="1", session_id=session)
        return (is_late or there.get("return_value") == self.number) and gone["status"] == "refused"

    def artifact(self):
        content = f"{self.number} " * 50_000
        answer = self.client("run_code", code=f"open('output/n.txt', 'w').write('{self.number} ' * 50_000)")
        if answer["status"] != "success":
            return False
        status, body = self.client.get("/artifacts/n.txt", {"mcp-session-id": answer["session_id"]})
        self.client("close_session", session_id=answer["session_id"])
        return (status, body.decode()) == (200, content)

    def files(self):
        session = self.client("create_session")["session_id"]
        self.client("write_file", session_id=session, path="a/b", content=str(self.number))
        found = self.client("run_code", code="open('a/b').read()", session_id=session).get("return_value")
        read = self.client("read_file", session_id=session, path="a/b").get("content")
        self.client("close_session", session_id=session)
        return found == read == str(self.number)


KINDS = {
    "run": Turn.run,
    "raise": Turn.raises,
    "crash": Turn.crash,
    "timeout": Turn.timeout,
    "memory": Turn.memory,
    "lines": Turn.lines,
    "cancel": Turn.cancel,
    "hang up": Turn.hang_up,
    "session": Turn.session,
    "expire": Turn.expire,
    "artifact": Turn.artifact,
    "files": Turn.files,
}


def gauges(server):
    text = Client(server.port).get("/metrics", {})[1].decode()
    return {name: int(value) for name, value in re.findall(r"^(prims_(?:sessions|runs_running|runs_queued)) (\d+)$", text, re.M)}


def soak(seconds, server):
    """Whether every answer was right and nothing was left."""
    wrong, done, lock, marks, began = [], {}, threading.Lock(), [], time.monotonic()

    def work(seed, until):
        rng, client = random.Random(seed), Client(server.port)
        while time.monotonic() < until:
            turn = Turn(client, rng)
            try:
                right, said = turn(), ""
            except (http.client.HTTPException, OSError, Failed, KeyError, TypeError) as error:
                client.hang_up()
                right, said = False, repr(error)
            with lock:
                done[turn.kind] = done.get(turn.kind, 0) + 1
                if not right:
                    wrong.append(f"{turn.kind} {said}")
        client.hang_up()

    def quiet():
        time.sleep(EXPIRY + 12)  # idle connections and threads end, sessions expire
        return server.levels()

    def period(length, first):
        until = time.monotonic() + length
        workers = [threading.Thread(target=work, args=(first + at, until)) for at in range(CLIENTS)]
        [worker.start() for worker in workers]
        while time.monotonic() < until:
            time.sleep(length / MARKS)
            marks.append((time.monotonic() - began, server.levels()))
        [worker.join() for worker in workers]

    period(seconds / 10, 0)
    marks.clear()
    before = quiet()
    period(seconds, 1000)
    after, open_now = quiet(), gauges(server)
    print(f"\n{seconds} seconds of mixed load of {CLIENTS} clients: {sum(done.values())} rounds, {len(wrong)} wrong answers")
    print(", ".join(f"{count} {kind}" for kind, count in sorted(done.items())))
    for problem in wrong[:10]:
        print(f"  wrong: {problem}")
    halves = marks[: len(marks) // 2], marks[len(marks) // 2 :]
    print("\n| | quiet after a tenth of it | busy, first half | busy, second half | quiet at the end |\n|---|---|---|---|---|")
    for name in before:
        first, second = (statistics.median(levels[name] for _, levels in half) for half in halves)
        print(f"| {name} | {before[name]} | {first:.0f} | {second:.0f} | {after[name]} |")
    print(f"\nat the end: {open_now}")
    return not wrong and not any(open_now.values())
