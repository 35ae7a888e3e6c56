# limits: files_count=50
# Files, folders and links are counted; deleting makes room.
import errno, os
made = 0
try:
    for made in range(100):
        if made % 3 == 0: open(f"f{made}", "w").close()
        elif made % 3 == 1: os.mkdir(f"d{made}")
        else: os.symlink("f0", f"l{made}")
except OSError as error:
    print(made, errno.errorcode[error.errno])
os.remove("f0")
open("again", "w").close()
try:
    os.mkdir("one more")
except OSError as error:
    print(error)
len(os.listdir())
