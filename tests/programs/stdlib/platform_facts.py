# What the program learns about the platform: WASI, 32 bits, one processor.
import os, platform, struct, sys, sysconfig
[sys.platform, sys.byteorder, sys.maxsize, os.name, os.sep, os.linesep, os.cpu_count(), platform.python_implementation(), sys.version_info[:2], sys.implementation.name, platform.system(), platform.machine(), sysconfig.get_platform(), sys.float_info.max, sys.getrecursionlimit(), sys.executable, sys.prefix, os.getpid() > 0]
