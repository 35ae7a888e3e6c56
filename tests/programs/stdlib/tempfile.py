# Temporary files and folders come and go below /tmp.
import os, tempfile
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "x")
    open(path, "w").write("1")
    inside = folder.startswith("/tmp/"), os.listdir(folder)
with tempfile.TemporaryFile("w+b") as file:
    file.write(b"bytes")
    file.seek(0)
    read = file.read()
with tempfile.SpooledTemporaryFile(max_size=10) as file:
    file.write(b"x" * 100)
descriptor, name = tempfile.mkstemp(suffix=".bin")
os.write(descriptor, b"low level")
os.close(descriptor)
size = os.stat(name).st_size
os.remove(name)
inside, os.path.exists(folder), read, size, os.listdir("/tmp"), tempfile.gettempdir()
