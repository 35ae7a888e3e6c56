# Prints a line per part: its name and the best of three times in milliseconds. Runs natively and in the sandbox alike.
import hashlib
import json
import random
import re
import time


def measure(name, work, rounds=3):
    best = min(timed(work) for _ in range(rounds))
    print(f"{name} {best * 1000:.3f}", flush=True)


def timed(work):
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def nbody():
    bodies = [
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 39.47],
        [4.84, -1.16, -0.10, 0.6, 2.8, -0.02, 0.037],
        [8.34, 4.12, -0.4, -1.01, 1.81, 0.008, 0.011],
        [12.8, -15.1, -0.22, 1.08, 0.86, -0.01, 0.0017],
        [15.3, -25.9, 0.17, 0.97, 0.59, -0.03, 0.002],
    ]
    for _ in range(5000):
        for i in range(5):
            b1 = bodies[i]
            for j in range(i + 1, 5):
                b2 = bodies[j]
                dx = b1[0] - b2[0]
                dy = b1[1] - b2[1]
                dz = b1[2] - b2[2]
                mag = 0.01 * ((dx * dx + dy * dy + dz * dz) ** -1.5)
                b1[3] -= dx * b2[6] * mag
                b1[4] -= dy * b2[6] * mag
                b1[5] -= dz * b2[6] * mag
                b2[3] += dx * b1[6] * mag
                b2[4] += dy * b1[6] * mag
                b2[5] += dz * b1[6] * mag
        for b in bodies:
            b[0] += 0.01 * b[3]
            b[1] += 0.01 * b[4]
            b[2] += 0.01 * b[5]


records = [{"a": i, "b": str(i) * 3, "c": [1.5 * i, None, True]} for i in range(20000)]
text = "the quick brown fox 12345 jumps over 67.89 " * 5000
random.seed(1)
numbers = [random.random() for _ in range(300000)]


def churn():
    counts = {}
    for i in range(200000):
        key = "k%d" % (i % 5000)
        counts[key] = counts.get(key, 0) + i
    return sorted(counts.items(), key=lambda pair: -pair[1])[:3]


measure("fib", lambda: fib(25))
measure("nbody", nbody)
measure("json", lambda: json.loads(json.dumps(records)))
measure("regex", lambda: len(re.findall(r"(\w+)\s+(\d+\.\d+)", text)))
measure("churn", churn)
measure("sort", lambda: sorted(numbers)[0])
measure("sha256", lambda: hashlib.sha256(b"x" * 10_000_000).hexdigest())
