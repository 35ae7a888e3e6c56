# Files have the permissions that programs expect: archives made here can be unpacked elsewhere. Changing them has no effect.
import io, os, shutil, stat, sys, tarfile, zipfile
open("a.txt", "w").write("text")
os.mkdir("d")
os.symlink("a.txt", "link")
for path in ("a.txt", "d", "link", ".", "/tmp", "/mounts", "/", os.__file__, os.path.dirname(os.__file__), "/dev/null"):
    mode = os.lstat(path).st_mode
    print(path, stat.filemode(mode), "".join(name for name, bit in (("f", os.F_OK), ("r", os.R_OK), ("w", os.W_OK), ("x", os.X_OK)) if os.access(path, bit)))
with open("a.txt") as file:
    print(stat.filemode(os.fstat(file.fileno()).st_mode))
print([os.access(path, os.F_OK) for path in ("missing", "", "d/missing")])
null = os.open("/dev/null", os.O_RDWR)
print(stat.filemode(os.fstat(null).st_mode), os.isatty(null), os.write(null, b"gone"), os.read(null, 1))
for path in ("a.txt", "d", "link"):
    os.chmod(path, 0o600)
for call in (lambda: os.chmod("missing", 0o600), lambda: os.chmod(os.__file__, 0o777)):
    try:
        print(call())
    except OSError as error:
        print(error.strerror)
shutil.copy2("a.txt", "d/b.txt")
with zipfile.ZipFile("z.zip", "w") as archive:
    archive.write("a.txt")
    archive.write("d")
    print([oct(info.external_attr >> 16) for info in archive.infolist()])
with tarfile.open("t.tar", "w") as archive:
    archive.add("d")
    archive.add("link")
    print([(member.name, oct(member.mode)) for member in archive.getmembers()])
shutil.unpack_archive("t.tar", "out")
sorted(os.listdir("out/d"))
