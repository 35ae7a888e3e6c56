# A __future__ import works, although the runtime compiles the last expression apart.
from __future__ import annotations

def f(x: Undefined) -> AlsoUndefined:
    return x

f.__annotations__, f(1)
