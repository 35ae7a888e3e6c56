# Clocks: none goes back, all are coarse, none can be set.
import time
marks = [time.monotonic_ns() for _ in range(1000)]
try:
    time.clock_settime(time.CLOCK_REALTIME, 0)
except (OSError, AttributeError) as error:
    print(type(error).__name__)
sorted(marks) == marks, all(mark % 10_000 == 0 for mark in marks), all(time.time_ns() % 10_000 == 0 for _ in range(100))
