# Negative: as a shell shows it.
raise SystemExit(-1)
