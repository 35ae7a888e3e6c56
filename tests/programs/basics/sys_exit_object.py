# So is anything else that is no integer.
raise SystemExit(["a", 1])
