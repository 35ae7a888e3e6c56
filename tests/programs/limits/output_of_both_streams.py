# limits: output=256
# Each stream has the limit to itself; multi-byte characters are not torn apart visibly.
import sys
for number in range(200):
    print("ü" * 5)
    print("é", number, file=sys.stderr)
"done"
