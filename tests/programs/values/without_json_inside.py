# One such part, and the whole has none.
[1, {"deep": [print]}]
