# Files look like files anybody may read: archives made here can be unpacked elsewhere.
import os, stat, tarfile, zipfile
open("f.txt", "w").write("x")
os.mkdir("d")
with zipfile.ZipFile("a.zip", "w") as archive:
    archive.write("f.txt")
    mode = archive.getinfo("f.txt").external_attr >> 16
with tarfile.open("a.tar", "w") as archive:
    archive.add("f.txt")
    tar_mode = archive.getmember("f.txt").mode
[stat.filemode(os.stat("f.txt").st_mode), stat.filemode(os.stat("d").st_mode), oct(mode), oct(tar_mode), os.access("f.txt", os.R_OK | os.W_OK)]
