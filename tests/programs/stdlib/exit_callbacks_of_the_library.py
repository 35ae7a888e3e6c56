# What logging and multiprocessing do when a process ends is done, for those who have something to end.
import logging.handlers
import multiprocessing.util
import sys

keeper = logging.handlers.MemoryHandler(100, target=logging.StreamHandler(sys.stdout))
logging.getLogger("kept").addHandler(keeper)
logging.getLogger("kept").warning("written at the end")
multiprocessing.util.Finalize(None, print, ("finalized",), exitpriority=1)
print("the program ends")
