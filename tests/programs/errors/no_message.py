# An exception without text.
raise ValueError
