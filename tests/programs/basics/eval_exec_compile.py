# Code made at run time: values, its own tracebacks, its own names.
names = {}
exec(compile("def g(x):\n    return x / 0\n", "<made>", "exec"), names)
try:
    names["g"](1)
except ZeroDivisionError as error:
    import traceback
    last = traceback.extract_tb(error.__traceback__)[-1]
    print(last.filename, last.lineno, last.name)
eval("a + b", {"a": 1, "b": 2}), [n for n in names if n != "__builtins__"]
