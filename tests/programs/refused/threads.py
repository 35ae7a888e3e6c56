# Threads: starting one refuses; everything that only needs the names works.
import _thread, asyncio, concurrent.futures, multiprocessing.dummy, threading
def attempt(name, function):
    try:
        print(name, "gave", function())
    except BaseException as error:
        print(f"{name}: {type(error).__module__}.{type(error).__name__}: {error}")
attempt("Thread", lambda: threading.Thread(target=print).start())
attempt("Timer", lambda: threading.Timer(0, print).start())
attempt("_thread", lambda: _thread.start_new_thread(print, ()))
attempt("joinable", lambda: _thread.start_joinable_thread(print))
attempt("executor", lambda: concurrent.futures.ThreadPoolExecutor().submit(print))
attempt("dummy pool", lambda: multiprocessing.dummy.Pool(2))
for _ in range(1000):
    try:
        threading.Thread(target=print).start()
    except RuntimeError:
        pass
threading.active_count(), [thread.name for thread in threading.enumerate()]
