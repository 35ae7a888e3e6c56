# What can be listed at all: the skeleton, the standard library, one's own folders.
import os
[(path, sorted(os.listdir(path))) for path in ("/", "/usr", "/usr/local", "/usr/local/lib", "/usr/local/lib/python3.13/site-packages", "/workspace", "/tmp", "/mounts")], len(os.listdir("/usr/local/lib/python3.13")) > 150
