# Native modules are loaded from installed packages only, not from what the program writes.
import _imp, importlib.machinery, importlib.util
open("/workspace/evil.cpython-313-wasm32-wasi.so", "wb").write(b"\0asm\1\0\0\0")
open("/tmp/lib.so", "wb").write(b"\x7fELF")
try:
    import evil
except ImportError as error:
    print("import:", error)
for path in ("/workspace/evil.cpython-313-wasm32-wasi.so", "/tmp/lib.so", "/etc/passwd", "../../etc/passwd", "x" * 5000, "libc.so.6"):
    try:
        loader = importlib.machinery.ExtensionFileLoader("evil", path)
        spec = importlib.util.spec_from_loader("evil", loader)
        _imp.create_dynamic(spec)
    except ImportError as error:
        print("load:", type(error).__name__, str(error)[:80])
