# The monotonic clocks do not tell how long the host is up: they continue the wall clock.
import time
abs(time.monotonic() - time.time()) < 86400, abs(time.perf_counter() - time.time()) < 86400
