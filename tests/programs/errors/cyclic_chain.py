# A chain of causes that runs in a circle ends.
first, second = ValueError("first"), TypeError("second")
first.__cause__, second.__cause__ = second, first
raise first
