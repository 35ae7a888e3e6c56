# An exception object is a value like any other.
ValueError("not raised", 5)
