# Hooks that CPython would run at its next start cannot be left behind.
import os, sys
tried = 0
for folder in ["/usr/local/lib/python3.13", "/usr/local/lib/python3.13/site-packages", "/usr/local/lib/python3.13/__pycache__", "/usr/local/lib/python3.13/json/__pycache__", "/usr/local/bin", "/"]:
    for name in ("sitecustomize.py", "usercustomize.py", "evil.pth", "json.cpython-313.pyc", "pyvenv.cfg"):
        try:
            os.makedirs(folder, exist_ok=True)
            open(os.path.join(folder, name), "w").write("import os")
            print("written:", folder, name)
        except OSError:
            tried += 1
tried
