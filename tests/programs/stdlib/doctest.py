# doctest finds the examples of the program itself.
def triple(x):
    """
    >>> triple(2)
    6
    >>> triple("a")
    'aaa!'
    """
    return 3 * x
import doctest
doctest.testmod()
