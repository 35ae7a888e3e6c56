# Locks, local data and events exist for code that only uses them.
import contextvars, queue, threading
lock, local, event = threading.RLock(), threading.local(), threading.Event()
with lock, lock:
    local.x = 1
event.set()
work = queue.PriorityQueue()
work.put(2); work.put(1)
[event.wait(), local.x, work.get(), work.get_nowait(), threading.current_thread().name, threading.active_count(), threading.Lock().acquire(timeout=0.01), event.wait(0.001)]
