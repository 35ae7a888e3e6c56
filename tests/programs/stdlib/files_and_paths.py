# Files as on a disk: modes, seeking, appending, truncating, renaming, walking, globbing.
import glob, os, pathlib, shutil
with open("a.txt", "w") as file:
    file.write("line 1\nline 2\n")
with open("a.txt", "a") as file:
    file.write("line 3\n")
with open("a.txt", "r+b") as file:
    file.seek(5)
    file.write(b"X")
    file.seek(-2, os.SEEK_END)
    tail = file.read()
    file.truncate(14)
try:
    open("a.txt", "x")
except FileExistsError as error:
    print(error.strerror)
os.makedirs("d/e", exist_ok=True)
shutil.copy("a.txt", "d/copy.txt")
os.rename("d/copy.txt", "d/e/moved.txt")
pathlib.Path("d/e/moved.txt").replace("d/final.txt")
shutil.copytree("d", "d2")
walked = [(root, sorted(folders), sorted(files)) for root, folders, files in sorted(os.walk("."))]
globbed = sorted(glob.glob("**/*.txt", recursive=True))
stat = os.stat("a.txt")
shutil.rmtree("d2")
os.unlink("a.txt")
print(tail, walked, globbed, stat.st_size, os.path.exists("a.txt"), sorted(os.listdir()))
with os.scandir("d") as entries:
    print(sorted((entry.name, entry.is_dir()) for entry in entries))
os.utime("d/final.txt", (1_000_000_000, 1_000_000_000.5))
os.path.getmtime("d/final.txt"), os.path.samefile("d/final.txt", "d/../d/final.txt"), pathlib.Path("d/final.txt").read_text()
