# A wait that nothing can end is an error at once, not a run until the deadline.
import _thread, concurrent.futures, queue, threading
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
    "lock": lambda: lock.acquire(),
    "with lock": lambda: lock.__enter__(),
    "lock of C": lambda: (l := _thread.allocate_lock()).acquire() and l.acquire(),
    "simple queue": lambda: queue.SimpleQueue().get(),
    "join of itself": lambda: threading.current_thread().join(),
}.items():
    try:
        wait()
    except RuntimeError as error:
        print(name, error)
print(lock.acquire(False), lock.acquire(timeout=0.01), threading.Event().wait(0.01))
for wait in (lambda: queue.SimpleQueue().get(timeout=0.01), lambda: queue.Queue().get(timeout=0.01), lambda: queue.SimpleQueue().get(False)):
    try:
        wait()
    except queue.Empty:
        print("empty")
lock.release()
lock.acquire()
