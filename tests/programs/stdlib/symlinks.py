# Links below one's own folders work as links do.
import os
os.mkdir("real")
open("real/file.txt", "w").write("content")
os.symlink("real/file.txt", "link.txt")
os.symlink("real", "folder")
os.symlink("nowhere", "dangling")
os.link("real/file.txt", "hard.txt")
print(os.readlink("link.txt"), open("link.txt").read(), open("folder/file.txt").read(), os.path.islink("link.txt"), os.path.realpath("folder/file.txt"))
print(os.path.lexists("dangling"), os.path.exists("dangling"), os.stat("hard.txt").st_nlink, os.lstat("link.txt").st_size)
os.unlink("folder")
sorted(os.listdir())
