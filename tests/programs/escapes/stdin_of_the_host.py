# Standard input is what was given; there is no other.
import os, sys
open("/workspace/x", "w").close()
[os.read(0, 100), sys.stdin.read(), sys.stdin.fileno(), os.path.exists("/dev/stdin"), os.path.exists("/dev/tty")]
