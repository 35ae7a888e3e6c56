# limits: result=1k
# A text longer than the result limit is cut; the program is told nothing.
"long " * 1000
