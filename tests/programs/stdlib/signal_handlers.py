# A handler can be set, and a signal raised at oneself is handled.
import signal
seen = []
signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number == signal.SIGTERM))
signal.raise_signal(signal.SIGTERM)
seen
