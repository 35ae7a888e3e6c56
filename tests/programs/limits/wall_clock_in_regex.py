# limits: timeout=200ms
import re
re.match("(a+)+$", "a" * 40 + "b")
