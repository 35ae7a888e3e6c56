# What a program has used of the processor is counted from its own start, not from when the interpreter was made.
import os, time
clocks = [time.process_time(), time.thread_time(), sum(os.times()[:2])]
began = time.process_time()
while time.process_time() - began < 0.01:
    pass
all(0 <= clock < 5 for clock in clocks), time.get_clock_info("process_time").monotonic
