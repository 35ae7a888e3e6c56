# A program that closes its streams loses what it prints, and the run is reported.
import sys
print("kept")
sys.stdout.close()
sys.stderr.close()
try:
    print("lost")
except ValueError as error:
    reason = str(error)
reason
