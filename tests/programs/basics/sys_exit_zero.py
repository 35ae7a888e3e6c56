# sys.exit() without a status is success.
import sys
print("before")
sys.exit()
