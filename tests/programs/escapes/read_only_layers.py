# The standard library, the packages, the mounts and the root can be read only, by whatever call.
import os, shutil, sys
stdlib = "/usr/local/lib/python3.13"
before = os.stat(f"{stdlib}/os.py")
def attempt(name, function):
    try:
        print(name, "gave", function())
    except OSError as error:
        print(name, type(error).__name__, error.strerror)
for folder in (stdlib, f"{stdlib}/site-packages", "/mounts", "/", "/usr", "/usr/local/lib"):
    print("==", folder)
    attempt("create", lambda: open(f"{folder}/new.txt", "w"))
    attempt("mkdir", lambda: os.mkdir(f"{folder}/new"))
    attempt("symlink", lambda: os.symlink("x", f"{folder}/link"))
    attempt("pth", lambda: open(f"{folder}/evil.pth", "x"))
    attempt("rename in", lambda: (open("/workspace/f", "w").close(), os.rename("/workspace/f", f"{folder}/f")))
print("== files")
victim = f"{stdlib}/os.py"
attempt("truncating open", lambda: open(victim, "w"))
attempt("append", lambda: open(victim, "a"))
attempt("r+", lambda: open(victim, "r+"))
attempt("O_TRUNC", lambda: os.open(victim, os.O_RDONLY | os.O_TRUNC))
attempt("O_CREAT", lambda: os.open(f"{stdlib}/new.py", os.O_RDONLY | os.O_CREAT))
attempt("O_CREAT that exists", lambda: os.open(victim, os.O_RDONLY | os.O_CREAT | os.O_EXCL))
attempt("truncate", lambda: os.truncate(victim, 0))
attempt("remove", lambda: os.remove(victim))
attempt("rename out", lambda: os.rename(victim, "/workspace/os.py"))
attempt("rename over", lambda: os.replace("/workspace/f", victim))
attempt("rmdir", lambda: os.rmdir(f"{stdlib}/json"))
attempt("rmtree", lambda: shutil.rmtree(f"{stdlib}/json"))
attempt("hard link out", lambda: os.link(victim, "/workspace/linked"))
attempt("hard link in", lambda: os.link("/workspace/f", f"{stdlib}/linked"))
attempt("utime", lambda: os.utime(victim, (1, 1)))
attempt("chmod", lambda: os.chmod(victim, 0o777))
attempt("write to a descriptor", lambda: os.write(os.open(victim, os.O_RDONLY), b"x"))
attempt("ftruncate a descriptor", lambda: os.ftruncate(os.open(victim, os.O_RDONLY), 0))
attempt("remove a mount", lambda: os.rmdir("/workspace"))
attempt("rename a mount", lambda: os.rename("/tmp", "/workspace/tmp"))
after = os.stat(victim)
(before.st_size, before.st_mtime) == (after.st_size, after.st_mtime), os.path.exists(f"{stdlib}/json/__init__.py"), sys.dont_write_bytecode
