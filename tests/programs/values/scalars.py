# None inside a container, booleans, integers, floats and text are themselves in JSON.
[None, True, False, 0, -1, 2.5, -0.0, 1e300, "text", "", Ellipsis is ...]
