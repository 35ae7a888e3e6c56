# sys.modules, builtins and __import__ replaced under the runtime's feet.
import builtins, sys
def evil(*args, **kwargs):
    raise SystemExit(66)
modules, put = list(sys.modules), setattr
for name in ("len", "repr", "str", "isinstance", "getattr", "print", "type", "exec", "compile", "open", "__import__", "__build_class__", "dict", "list", "setattr", "BaseException", "Exception"):
    put(builtins, name, evil)
for name in modules:
    sys.modules[name] = None
sys.modules = None
sys.path = sys.meta_path = sys.path_hooks = None
{"still": ["reported", 1.5]}
