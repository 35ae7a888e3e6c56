"""A server that is killed again and again in the middle of its work, and what it must have kept each time.

Each kind of work is a `Ledger` of its own: it notes what was asked and what was answered. After a kill, what was answered must be there, whole;
what was under way may be there or not, but never half of it. Nothing that was being written may be left lying about."""

import http.client
import http.server
import json
import random
import statistics
import threading
import time

from server_client import Client, Failed, Server


class Wrong(Exception):
    """Something that was answered is lost, or something is not whole."""


def expect(condition, *what):
    if not condition:
        raise Wrong(" ".join(map(str, what)))


class Ledger:
    """Counts up, one call after the other: `answered` is the last number that was answered. The one after it may have been under way."""

    def __init__(self):
        self.answered, self.session, self.turns = 0, None, 0

    def work(self, client, _rng):
        if self.session is None:
            self.session = client("create_session", stateful=self.stateful)["session_id"]
        self.step(client, self.answered + 1)
        self.answered += 1

    def check(self, client):
        if self.session is None:
            return
        found = self.found(client)
        expect(found in (self.answered, self.answered + 1), type(self).__name__, "has", found, "answered was", self.answered)
        self.answered = found

    def run(self, client, code):
        answer = client("run_code", code=code, session_id=self.session)
        expect(answer["status"] == "success", answer)
        expect("began without them" not in answer["stderr"] + json.dumps(answer.get("feedback")), answer)
        return answer["return_value"]


class Commits(Ledger):
    """Variables of a stateful session."""

    stateful = True

    def step(self, client, number):
        found = self.run(client, "n = globals().get('n', 0) + 1\nblob = bytes([n % 256]) * 1_000_000\nn")
        expect(found == number, "a run counted", found, "expected", number)

    def found(self, client):
        return self.run(client, "assert 'n' not in globals() or blob == bytes([n % 256]) * 1_000_000\nglobals().get('n', 0)")


class Runs(Ledger):
    """Lines that runs write to a file, in a session without variables."""

    stateful = False

    def step(self, client, number):
        self.run(client, f"with open('log', 'a') as log: log.write('{number}\\n')")

    def found(self, client):
        lines = self.run(client, "import os\nopen('log').read() if os.path.exists('log') else ''").splitlines()
        expect(lines == [str(at + 1) for at in range(len(lines))], "the log has", lines[-3:])
        return len(lines)


class Writes(Ledger):
    """A file that `write_file` replaces."""

    stateful = False
    path = "folder/data"

    def content(self, number):
        return f"{number:08d}" * 60_000

    def step(self, client, number):
        answer = client("write_file", session_id=self.session, path=self.path, content=self.content(number))
        expect(answer.get("size") == 480_000, answer)

    def found(self, client):
        answer = client("read_file", session_id=self.session, path=self.path, limit=1 << 20)
        if "content" not in answer:
            return 0
        number = int(answer["content"][:8])
        expect(answer["content"] == self.content(number), "a file has parts of two")
        return number


class Uploads(Writes):
    """An artifact that is written and then sent by `persist_artifact`."""

    path = "output/data"

    def __init__(self, receiver):
        super().__init__()
        self.receiver = receiver

    def step(self, client, number):
        super().step(client, number)
        url = f"http://127.0.0.1:{self.receiver.server_port}/{number}"
        answer = client("persist_artifact", session_id=self.session, relative_path=self.path, presigned_url=url)
        expect(answer.get("uploaded_bytes") == 480_000, answer)
        expect(number in self.receiver.whole, "upload", number, "was answered and did not arrive")

    def found(self, client):
        expect(not self.receiver.wrong, "bodies that were not what was sent:", self.receiver.wrong)
        return super().found(client)


class Receiver(http.server.ThreadingHTTPServer):
    """Takes uploads slowly, so that kills fall into them. What is cut off is no upload."""

    daemon_threads = True

    def __init__(self):
        self.whole, self.wrong = set(), []
        super().__init__(("127.0.0.1", 0), Put)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Put(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        left, body = int(self.headers["content-length"]), b""
        while left and (piece := self.rfile.read(min(left, 64 << 10))):
            body, left = body + piece, left - len(piece)
            time.sleep(0.001)
        number = int(self.path[1:])
        if left:
            return
        if body == f"{number:08d}".encode() * 60_000:
            self.server.whole.add(number)
        else:
            self.server.wrong.append(number)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Sessions(Ledger):
    """Sessions that are made, forked, changed, reset and closed. `held` has the values that may be found in each."""

    def __init__(self):
        super().__init__()
        self.held, self.closed = {}, set()

    def work(self, client, rng):
        kind = rng.choice(["create", "fork", "set", "reset", "close"]) if 3 < len(self.held) < 12 else "create" if len(self.held) < 8 else "close"
        if kind == "create":
            handle = client("create_session", stateful=True)["session_id"]
            self.held[handle] = {0}
            return
        handle = rng.choice(list(self.held))
        if kind == "fork":
            fork = client("fork_session", session_id=handle)["session_id"]
            self.held[fork] = set(self.held[handle])
        elif kind == "close":
            # Until it is answered it may be there or not.
            self.held[handle].add(None)
            client("close_session", session_id=handle)
            del self.held[handle]
            self.closed.add(handle)
        else:
            value = rng.randrange(1, 10**6) if kind == "set" else 0
            self.held[handle].add(value)
            if kind == "set":
                client("run_code", code=f"x = {value}", session_id=handle)
            else:
                client("reset_session", session_id=handle)
            self.held[handle] = {value}

    def check(self, client):
        for handle, values in list(self.held.items()):
            answer = client("run_code", code="globals().get('x', 0)", session_id=handle)
            found = answer["return_value"] if answer["status"] == "success" else None
            expect(found in values, "a session has", found, "expected one of", values, answer)
            if found is None:
                del self.held[handle]
            else:
                self.held[handle] = {found}
        for handle in self.closed:
            expect(client("run_code", code="1", session_id=handle)["status"] == "refused", "a closed session is there")
        self.closed.clear()


def leftovers(server):
    """What was being written when the server was killed, and should be gone now."""
    data = server.folder / "data" / "sessions"
    found = [path for pattern in ("*/*.tmp", "*/spool/*") for path in data.glob(pattern)]
    found += [folder for folder in data.iterdir() if not (folder / "session.json").exists()]
    return found


def round_of(server, ledgers, rng, problems):
    """Lets all work, and kills the server some moment after one of them, chosen by chance, was answered once or a few times."""
    stop, chosen = threading.Event(), rng.choice(ledgers)
    goal = chosen.turns + rng.randrange(1, 4)

    def work(ledger, seed):
        client, own = Client(server.port), random.Random(seed)
        while not stop.is_set():
            try:
                ledger.work(client, own)
                ledger.turns += 1
            except (http.client.HTTPException, OSError):
                return  # killed
            except (Wrong, Failed) as wrong:
                problems.append(f"{wrong}: {server.said}")
                return

    workers = [threading.Thread(target=work, args=(ledger, rng.random())) for ledger in ledgers]
    [worker.start() for worker in workers]
    patience = time.monotonic() + 60
    while chosen.turns < goal and time.monotonic() < patience and not problems:
        time.sleep(0.002)
    time.sleep(rng.uniform(0, 0.05))
    server.kill()
    stop.set()
    [worker.join() for worker in workers]


def kills(count, program, environment):
    """Kills a server `count` times; whether everything was as it must be."""
    flags = ["--session-idle", "1h", "--max-sessions-per-caller", "1000", "--allow-http-fetch", "--fetch-allow", "127.0.0.0/8", "--concurrency", "4"]
    receiver, rng, problems, listening, answering = Receiver(), random.Random(count), [], [], []
    ledgers = [Commits(), Commits(), Runs(), Writes(), Uploads(receiver), Sessions()]
    server = Server(program, environment, *flags)
    for number in range(count):
        round_of(server, ledgers, rng, problems)
        began = time.perf_counter()
        listening.append(server.start())
        client = Client(server.port)
        for ledger in ledgers:
            try:
                ledger.check(client)
            except (Wrong, Failed) as wrong:
                problems.append(f"after kill {number + 1}: {wrong}: {server.said}")
            if ledger is ledgers[0]:
                answering.append(time.perf_counter() - began)
        if left := leftovers(server):
            problems.append(f"after kill {number + 1}: left behind: {left[:3]}")
    temporary = len(list((server.folder / "tmp").iterdir()))
    server.close()
    answered = ", ".join(f"{ledger.answered} {type(ledger).__name__.lower()}" for ledger in ledgers[:5])
    print(f"\n{count} kills: {answered} and {ledgers[-1].turns} changes of sessions answered, {len(problems)} problems, {temporary} temporary folder(s) at the end")
    for problem in problems[:10]:
        print(f"  {problem}")
    print("\n| restart | median | slowest |\n|---|---|---|")
    for name, times in (("until it listens", listening), ("until a stateful session has answered", answering)):
        print(f"| {name} | {statistics.median(times) * 1e3:.0f} ms | {max(times) * 1e3:.0f} ms |")
    return not problems
