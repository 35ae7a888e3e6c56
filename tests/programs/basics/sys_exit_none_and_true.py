# True is an integer: 1.
raise SystemExit(True)
