# limits: files_count=10
# Renaming over a file makes room; the count survives folders removed with what is in them.
import os, shutil
for number in range(9):
    open(str(number), "w").close()
os.replace("0", "1")
os.mkdir("d")
open("d/x", "w").close()
shutil.rmtree("d")
open("x", "w").close(); open("y", "w").close()
try:
    open("z", "w")
except OSError as error:
    print(error.strerror)
sorted(os.listdir())
