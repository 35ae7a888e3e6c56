# A recursion of ordinary depth works, in Python and through C.
import functools, json, copy
def depth(n):
    return 0 if n == 0 else 1 + depth(n - 1)
@functools.lru_cache(None)
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
nested = []
for _ in range(300):
    nested = [nested]
[depth(900), fib(300), json.dumps(nested).count("["), copy.deepcopy(nested) == nested, sum(1 for c in repr(nested) if c == "[")]
