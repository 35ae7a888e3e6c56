# env: GREETING=hello=world
# The environment holds what was given and a fixed few names; it can be changed by the program.
import os
os.environ["MINE"] = "1"
os.putenv("HIDDEN", "1")
[os.environ["GREETING"], os.getenv("MINE"), os.getenv("NOWHERE"), sorted(os.environ)]
