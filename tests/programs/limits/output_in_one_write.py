# limits: output=300
import sys
sys.stdout.write("start " + "x" * 5_000_000 + " end")
