# Deep structures in functions written in C: errors of the program.
import copy, json, pickle, re, ast, marshal
deep = []
for _ in range(100_000):
    deep = [deep]
def attempt(name, function):
    try:
        function()
        print(name, "worked")
    except Exception as error:
        print(name, type(error).__name__, str(error)[:60])
attempt("repr", lambda: repr(deep))
attempt("compare", lambda: deep == copy.copy(deep[0]))
attempt("json", lambda: json.dumps(deep))
attempt("json.loads", lambda: json.loads("[" * 100_000))
attempt("pickle", lambda: pickle.dumps(deep))
attempt("deepcopy", lambda: copy.deepcopy(deep))
attempt("marshal", lambda: marshal.dumps(deep))
def tuple_of(n):
    value = ()
    for _ in range(n): value = (value,)
    return value
attempt("parentheses", lambda: eval("(" * 5000 + ")" * 5000))
attempt("minuses", lambda: eval("-" * 100_000 + "1"))
attempt("attributes", lambda: eval("a" + ".a" * 100_000))
attempt("operators", lambda: eval("1" + "+1" * 100_000))
attempt("literal_eval", lambda: ast.literal_eval("[" * 10_000 + "]" * 10_000))
attempt("regex", lambda: re.compile("(" * 10_000 + ")" * 10_000))
attempt("isinstance", lambda: isinstance(1, tuple_of(10_000)))
del deep
"survived"
