# limits: files=100k
# Appending, writing at an offset, truncating up and copying are counted too.
import os, shutil
results = []
def attempt(name, function):
    try:
        function()
        results.append(f"{name}: done")
    except OSError as error:
        results.append(f"{name}: {error.strerror}")
open("a", "wb").write(bytes(60_000))
attempt("append", lambda: [open("a", "ab", 0).write(bytes(10_000)) for _ in range(10)])
os.truncate("a", 60_000)
attempt("copy", lambda: shutil.copy("a", "b"))
if os.path.exists("b"): os.remove("b")
attempt("truncate up", lambda: os.truncate("a", 1_000_000))
def at_offset():
    with open("c", "wb", 0) as file:
        file.seek(90_000)
        file.write(b"x" * 20_000)
attempt("at an offset", at_offset)
attempt("pwrite", lambda: os.pwrite(os.open("d", os.O_CREAT | os.O_RDWR), b"x" * 10, 1 << 40))
results, sorted((name, os.path.getsize(name)) for name in os.listdir() if name != "c")
