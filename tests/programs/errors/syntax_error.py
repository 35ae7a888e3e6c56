# A syntax error points at its place; nothing of the program runs.
print("never printed")
def f(:
    pass
