"""Requests a second, and how long answers take when requests come at a fixed rate, whether the last one has been answered or not.

What arrives is sent by threads of a few processes, so that the generator's own interpreter is not what is measured; a request that finds no free
connection waits, and the wait counts: times are taken from the moment a request was due."""

import json
import multiprocessing
import os
import socket
import threading
import time

from server_client import call

PROCESSES = 4
RUN = call(0, "run_code", {"code": "1+1"})
NOTHING = {"jsonrpc": "2.0", "id": 0, "method": "ping"}


class Connection:
    """As little of HTTP as it takes."""

    def __init__(self, port, message):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.message, self.number = message, 0

    def ask(self):
        self.number += 1
        body = json.dumps({**self.message, "id": self.number}).encode()
        head = "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\n"
        self.socket.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.received()
        head, data = data.split(b"\r\n\r\n", 1)
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(data) < length:
            data += self.received()
        answer = json.loads(data)
        assert answer["id"] == self.number, answer
        result = answer["result"]
        assert self.message is NOTHING or result["structuredContent"]["return_value"] == 2, answer

    def received(self):
        piece = self.socket.recv(65536)
        if not piece:
            raise ConnectionError("the server closed the connection")
        return piece


def spread(work, clients, *arguments):
    """Does `work` in `clients` threads of a few processes; everything that it returned."""
    results = multiprocessing.SimpleQueue()
    shares = [clients // PROCESSES + (at < clients % PROCESSES) for at in range(min(PROCESSES, clients))]

    def process(share):
        found = []
        threads = [threading.Thread(target=lambda: found.append(work(*arguments))) for _ in range(share)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        results.put(found)

    processes = [multiprocessing.Process(target=process, args=(share,)) for share in shares]
    [process.start() for process in processes]
    found = [result for _ in processes for result in results.get()]
    [process.join() for process in processes]
    assert len(found) == clients, "a client failed"
    return found


def closed_loop(port, message, stop):
    """Asks again as soon as it is answered."""
    connection, count = Connection(port, message), 0
    while time.monotonic() < stop:
        connection.ask()
        count += 1
    return count


def open_loop(port, message, begin, gap, count, taken):
    """Takes the next request that is due; how long each took from then on."""
    connection, times = Connection(port, message), []
    while True:
        with taken.get_lock():
            at, taken.value = taken.value, taken.value + 1
        if at >= count:
            return times
        due = begin + at * gap
        time.sleep(max(0, due - time.monotonic()))
        connection.ask()
        times.append(time.monotonic() - due)


def per_second(port, message, clients, seconds):
    return sum(spread(closed_loop, clients, port, message, time.monotonic() + seconds)) / seconds


def load(port, seconds):
    most = {}
    print("\n| clients | `run_code` of `1+1` a second over HTTP | `ping` a second |\n|---|---|---|")
    for clients in (2, 16):
        per_second(port, RUN, clients, 1)
        most[clients] = per_second(port, RUN, clients, seconds)
        print(f"| {clients} | {most[clients]:.0f} | {per_second(port, NOTHING, clients, seconds):.0f} |")
    rate = 0.7 * max(most.values())
    print(f"\nRequests at a fixed rate of {rate:.0f} a second, 70 % of the most:\n\n| request | median | p99 | slowest |\n|---|---|---|---|")
    for name, message in (("`run_code` of `1+1`", RUN), ("`ping`, which does nothing", NOTHING)):
        count, taken = int(rate * seconds), multiprocessing.Value("l", 0)
        found = spread(open_loop, 32, port, message, time.monotonic() + 0.5, 1 / rate, count, taken)
        times = sorted(taken for times in found for taken in times)
        at = {share: times[min(len(times) - 1, int(len(times) * share))] * 1e3 for share in (0.5, 0.99, 1)}
        print(f"| {name} | {at[0.5]:.2f} ms | {at[0.99]:.2f} ms | {at[1]:.2f} ms |")
    print(f"\nload of the machine over the last minute: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
