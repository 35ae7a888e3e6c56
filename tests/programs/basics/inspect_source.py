# The source of the program can be inspected, as from a file.
import inspect
def documented(a, b=2, *, c: int = 3) -> str:
    """What it does."""
    return "x"  # a comment
print(inspect.getsource(documented), end="")
str(inspect.signature(documented)), inspect.getdoc(documented)
