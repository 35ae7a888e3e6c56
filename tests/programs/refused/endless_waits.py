# A wait that nothing can end is an error at once, not a run until the deadline.
import concurrent.futures, queue, threading
lock = threading.Lock()
lock.acquire()
for name, wait in {
    "event": lambda: threading.Event().wait(),
    "queue": lambda: queue.Queue().get(),
    "full queue": lambda: (q := queue.Queue(1)).put(1) or q.put(2),
    "condition": lambda: (c := threading.Condition()).acquire() and c.wait(),
    "semaphore": lambda: threading.Semaphore(0).acquire(),
    "future": lambda: concurrent.futures.Future().result(),
    "barrier": lambda: threading.Barrier(2).wait(),
}.items():
    try:
        wait()
    except RuntimeError as error:
        print(name, error)
queue.Queue().empty()
