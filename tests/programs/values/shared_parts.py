# A part that occurs twice is no cycle.
part = [1]
[part, part, {"again": part}]
