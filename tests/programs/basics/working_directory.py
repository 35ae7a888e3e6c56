# The program starts in an empty /workspace that it may write; /tmp is its own too.
import os, pathlib, tempfile
start = [os.getcwd(), os.listdir(), os.listdir("/tmp"), os.listdir("/mounts"), sorted(os.listdir("/"))]
pathlib.Path("a/b").mkdir(parents=True)
pathlib.Path("a/b/c.txt").write_text("text\n")
os.chdir("a")
with tempfile.NamedTemporaryFile("w+") as file:
    file.write("kept")
    file.flush()
    inside = os.path.dirname(file.name), pathlib.Path(file.name).read_text()
start, os.getcwd(), pathlib.Path("b/c.txt").read_text(), inside, [str(p) for p in pathlib.Path("/workspace").rglob("*")]
