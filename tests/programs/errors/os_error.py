# Errors of the operating system carry number, text and both paths.
import os
for attempt in (lambda: open("nowhere.txt"), lambda: os.rename("a", "b"), lambda: os.mkdir("/workspace"), lambda: os.rmdir("/workspace/none"), lambda: open("/workspace"), lambda: os.listdir("nowhere")):
    try:
        attempt()
    except OSError as error:
        print(type(error).__name__, error.errno, error)
