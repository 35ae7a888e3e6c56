# A text is written to stderr, and the status is 1.
import sys
sys.exit("it went wrong")
