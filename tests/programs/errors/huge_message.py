# A message of a megabyte is cut.
try:
    raise ValueError("x" * 1_000_000)
except ValueError as error:
    kept = error
kept.args = ("y" * 20_000,)
raise kept
