# The status given to sys.exit.
import sys
try:
    sys.exit(3)
finally:
    print("finally runs")
