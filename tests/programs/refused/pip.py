# Nothing is installed from inside; venv and ensurepip are not there.
for name in ("pip", "ensurepip", "setuptools"):
    try:
        __import__(name)
    except ImportError as error:
        print(type(error).__name__, error)
import subprocess, sys
subprocess.check_call([sys.executable, "-m", "pip", "install", "requests"])
