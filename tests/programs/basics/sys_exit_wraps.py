# A status is what a process could report: its low eight bits.
raise SystemExit(256 + 7)
