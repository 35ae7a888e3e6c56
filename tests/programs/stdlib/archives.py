# Zip and tar archives, with every compression, and what a hostile archive may not do.
import io, os, tarfile, zipfile
os.makedirs("tree/sub")
for name in ("tree/a.txt", "tree/sub/b.bin"):
    with open(name, "wb") as file:
        file.write(name.encode() * 50)
for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
    with zipfile.ZipFile(f"{method}.zip", "w", method) as archive:
        archive.write("tree/a.txt")
        archive.writestr("made.txt", "text")
    with zipfile.ZipFile(f"{method}.zip") as archive:
        print(method, archive.testzip(), archive.namelist(), archive.read("made.txt"))
for how in ("", "gz", "bz2", "xz"):
    with tarfile.open(f"tree.tar.{how}", f"w:{how}") as archive:
        archive.add("tree")
    with tarfile.open(f"tree.tar.{how}") as archive:
        print(how or "plain", sorted(archive.getnames()), archive.extractfile("tree/a.txt").read()[:10])
evil = io.BytesIO()
with tarfile.open(fileobj=evil, mode="w") as archive:
    info = tarfile.TarInfo("../../outside.txt")
    info.size = 1
    archive.addfile(info, io.BytesIO(b"x"))
evil.seek(0)
try:
    tarfile.open(fileobj=evil).extractall("out", filter="data")
except tarfile.OutsideDestinationError as error:
    print(type(error).__name__)
with tarfile.open("tree.tar.gz") as archive:
    archive.extractall("extracted", filter="data")
os.path.getsize("extracted/tree/sub/b.bin")
