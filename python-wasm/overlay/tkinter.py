"""Windows need a display, and the sandbox has none."""

raise ImportError("tkinter is not available in this sandbox: there is no display", name="tkinter")
