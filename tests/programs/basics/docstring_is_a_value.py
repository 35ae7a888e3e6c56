"""A program that is one string has that string as its value, and as its __doc__."""
