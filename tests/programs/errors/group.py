# An exception group with its parts, nested and with notes.
def fail(kind):
    raise kind(f"from {kind.__name__}")
errors = []
for kind in (ValueError, OSError):
    try:
        fail(kind)
    except Exception as error:
        errors.append(error)
errors[0].add_note("a note")
raise ExceptionGroup("several", [*errors, ExceptionGroup("inner", [KeyError("k")])])
