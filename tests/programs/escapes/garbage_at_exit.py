# Finalizers, exit callbacks and collector callbacks that go on making trouble at the end.
import atexit, gc, sys
class Phoenix:
    count = 0
    def __del__(self):
        Phoenix.count += 1
        globals()["risen"] = self
        if Phoenix.count < 4:
            Phoenix()
        raise SystemExit(7)
Phoenix()
def again():
    if Phoenix.count < 100:
        Phoenix.count += 10
        atexit.register(again)
atexit.register(again)
atexit.register(sys.exit, 5)
gc.callbacks.append(lambda phase, info: 1 / 0)
sys.stderr = None
Phoenix.count
