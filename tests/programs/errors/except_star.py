# except* takes its part of a group; the rest is raised.
try:
    raise ExceptionGroup("g", [ValueError(1), TypeError("left over"), ValueError(2)])
except* ValueError as group:
    print("handled", group.exceptions)
