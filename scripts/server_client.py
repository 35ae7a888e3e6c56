"""The server and a client that does nothing but write and read, for the scripts that measure and try it."""

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path


def call(number, name, arguments, meta=None):
    params = {"name": name, "arguments": arguments}
    if meta:
        params["_meta"] = meta
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


class Failed(Exception):
    """The server answered with an error of its own."""


def reply(message):
    if "result" not in message:
        raise Failed(message)
    return message["result"]["structuredContent"]


class Streams:
    """The server on standard streams."""

    def __init__(self, program, environment):
        self.child = subprocess.Popen(
            [program, "stdio", "--log-level", "error"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.number = 0

    def ask(self, message):
        self.number += 1
        self.child.stdin.write(json.dumps({**message, "id": self.number}) + "\n")
        self.child.stdin.flush()
        while True:
            answer = json.loads(self.child.stdout.readline())
            if answer.get("id") == self.number:
                return answer

    def __call__(self, name, **arguments):
        return reply(self.ask(call(0, name, arguments)))

    def close(self):
        self.child.stdin.close()
        self.child.wait(10)


class Client:
    """One connection to the HTTP server, and maybe the identifier that `initialize` gave it."""

    def __init__(self, port):
        self.port, self.connection, self.number, self.identifier = port, None, 0, None

    def post(self, message):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        if self.identifier:
            headers["mcp-session-id"] = self.identifier
        self.connection.request("POST", "/mcp", json.dumps(message), headers)

    def messages(self):
        """What is in the answer: its one message, or those of its stream."""
        answer = self.connection.getresponse()
        text = answer.read().decode()
        if identifier := answer.headers["mcp-session-id"]:
            self.identifier = identifier
        if not text:
            return []
        if not answer.headers["content-type"].startswith("text/event-stream"):
            return [json.loads(text)]
        data = [line[5:].strip() for line in text.splitlines() if line.startswith("data:")]
        return [json.loads(text) for text in data if text]

    def initialize(self):
        client = {"name": "figures", "version": "1"}
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
        self.post({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
        self.messages()

    def live(self, meta, name, **arguments):
        """The answer of a tool, and what was told before it."""
        self.number += 1
        self.post(call(self.number, name, arguments, meta))
        *told, last = self.messages()
        return reply(last), told

    def __call__(self, name, **arguments):
        return self.live(None, name, **arguments)[0]

    def get(self, path, headers):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        self.connection.request("GET", path, headers=headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def hang_up(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None


class Server:
    """The HTTP server with a folder of its own for everything it writes but the cache."""

    def __init__(self, program, environment, *flags, folder=None):
        self.program, self.flags = program, flags
        self.made = None if folder else tempfile.TemporaryDirectory(prefix="server-figures-")
        self.folder = Path(folder or self.made.name)
        (self.folder / "tmp").mkdir(exist_ok=True)
        self.environment = {**environment, "TMPDIR": str(self.folder / "tmp")}
        self.start()

    def start(self):
        """Starts it; how long it takes until it listens, in seconds."""
        began = time.perf_counter()
        arguments = ["streamable-http", "--port", "0", "--log-level", "error", "--data-dir", self.folder / "data"]
        self.child = subprocess.Popen(
            [self.program, *arguments, *self.flags], stderr=subprocess.PIPE, text=True, env=self.environment
        )
        while True:
            line = self.child.stderr.readline()
            if found := re.search(r"http://[^:]+:(\d+)/mcp", line):
                self.port = int(found[1])
                break
            if not line:
                sys.exit("error: the server did not start")
        self.said = []
        threading.Thread(target=self.said.extend, args=(self.child.stderr,), daemon=True).start()
        return time.perf_counter() - began

    def levels(self):
        """What it holds now."""
        process = Path(f"/proc/{self.child.pid}")
        status = (process / "status").read_text()
        return {
            "private memory (KiB)": int(re.search(r"RssAnon:\s+(\d+)", status)[1]),
            "descriptors": len(os.listdir(process / "fd")),
            "threads": int(re.search(r"Threads:\s+(\d+)", status)[1]),
            "files and folders": sum(len(folders) + len(files) for _, folders, files in os.walk(self.folder)),
        }

    def kill(self):
        self.child.kill()
        self.child.wait(20)

    def close(self):
        self.child.terminate()
        self.child.wait(20)
        if self.made:
            self.made.cleanup()
