# help() prints without a pager.
def f(x):
    """Doubles x."""
    return 2 * x
help(f)
