# Reloading, unpatching or importing the parts by another way opens no network either.
import importlib, socket, sys, urllib.request
for how in ("reload", "fresh", "builtin"):
    try:
        if how == "reload":
            importlib.reload(socket).socket()
        elif how == "fresh":
            for name in [name for name in sys.modules if "socket" in name or "ssl" in name]:
                del sys.modules[name]
            import socket
            socket.create_connection(("127.0.0.1", 80))
        else:
            loader = importlib.machinery.BuiltinImporter
            spec = loader.find_spec("_socket")
            print("built in:", spec)
            importlib.import_module("_socket").socket(2, 1)
    except OSError as error:
        print(how, type(error).__name__, error)
