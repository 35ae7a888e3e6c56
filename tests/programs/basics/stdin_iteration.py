# stdin: a,1\nb,2\n
# Standard input is iterated, parsed as CSV, and has a buffer with bytes.
import csv, sys
rows = list(csv.reader(sys.stdin))
rows, sys.stdin.encoding, sys.stdin.buffer.read()
