import builtins, sys
for name in list(vars(builtins)):
    if name not in ("ZeroDivisionError",):
        delattr(builtins, name) if name.islower() and not name.startswith("_") and name not in ("vars", "list", "delattr", "setattr") else None
sys.modules.clear()
1 / 0
