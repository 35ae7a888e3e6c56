# Sets are sorted in JSON if they can be.
[{3, 1, 2}, frozenset("b"), set(), {(1, 2)}]
