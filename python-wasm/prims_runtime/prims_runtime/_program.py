"""Source text to a code object that leaves the value of its last expression in ``VALUE``."""

from ._own import BUILTINS as __builtins__  # noqa: F401, I001

import _ast
import io
import linecache

ONLY_AST = 0x400
TOP_LEVEL_AWAIT = 0x2000
COROUTINE = 0x80

# Not an identifier, so no program can have a variable of this name.
VALUE = "<value>"

Assign, Expr, Name = _ast.Assign, _ast.Expr, _ast.Name
STORE = _ast.Store()
_cache = linecache.cache


def build(code, filename):
    """Compile ``code``. Raises what the compiler raises; text that is not valid Unicode is a SyntaxError."""
    if code[:1] == "\ufeff":
        code = code[1:]
    try:
        return compile_program(code, filename, VALUE)
    except UnicodeEncodeError as error:
        line = code.count("\n", 0, error.start) + 1
        message = f"(unicode error) 'utf-8' codec can't encode character '\\u{ord(code[error.start]):04x}'"
        raise SyntaxError(f"{message}: surrogates not allowed", (filename, line, None, None)) from None


def compile_in_steps(code, filename, name):
    """What `_prims.compile` does, for a Python that lacks it, through a tree of Python objects: that costs twice the time."""
    try:
        tree = compile(code, filename, "exec", ONLY_AST | TOP_LEVEL_AWAIT, True)
    except (RecursionError, MemoryError):
        # Source that is too deep for a tree of Python objects may still be within the compiler's own bound.
        return compile(code, filename, "exec", TOP_LEVEL_AWAIT, True)
    body = tree.body
    if body and type(body[-1]) is Expr:
        last = body[-1]
        place = {
            "lineno": last.lineno,
            "col_offset": last.col_offset,
            "end_lineno": last.end_lineno,
            "end_col_offset": last.end_col_offset,
        }
        body[-1] = Assign([Name(name, STORE, **place)], last.value, **place)
    return compile(tree, filename, "exec", TOP_LEVEL_AWAIT, True)


try:
    from _prims import compile as compile_program
except ImportError:  # a host's Python, where the tests of this package run too
    compile_program = compile_in_steps


def register(code, filename):
    """Make the source known to ``linecache``, so that tracebacks and ``inspect.getsource`` show it."""
    if code[:1] == "\ufeff":
        code = code[1:]
    # Lines as the tokenizer counts them: str.splitlines would also break at form feeds and at U+2028.
    lines = io.StringIO(code, None).readlines()
    if lines and lines[-1][-1:] != "\n":
        lines[-1] += "\n"
    _cache[filename] = (len(code), None, lines, filename)
