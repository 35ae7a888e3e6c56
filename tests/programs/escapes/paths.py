# Paths that try to leave the sandbox resolve inside it or fail; none shows a file of the host.
import os, unicodedata
print(sorted(os.listdir("/")), os.path.realpath("/workspace/../../.."))
os.makedirs("/workspace/dir")
open("/workspace/dir/file", "w").write("inside")
for path in (
    "../../../../../../etc/passwd", "/etc/passwd", "//etc/passwd", "/../etc/passwd", "/workspace/../etc/passwd", "/workspace/dir/../../etc/passwd",
    "/tmp/../../etc/shadow", "dir/../../../etc/passwd", "./././../etc/passwd", "/proc/self/environ", "/proc/1/cmdline", "/proc/cpuinfo", "/sys/class", "/dev/sda",
    "/dev/null", "/dev/urandom", "/dev/stdin", "/root", "/home", "/etc/hostname", "/etc/hosts", "/var/run/docker.sock", "~root", "C:\\Windows", "\\\\host\\share",
    "file:///etc/passwd", "/usr/local/lib/python3.13/../../../../etc/passwd", "/usr/local/bin/python3.13", "/mounts/../etc/passwd",
    "\uff0e\uff0e/\uff0e\uff0e/etc/passwd", "..\u2215..\u2215etc\u2215passwd", "%2e%2e/%2e%2e/etc/passwd", "....//....//etc/passwd", "/workspace/dir/file/..", "/workspace/dir/file/../file", "/workspace/dir/file/", "/workspace/dir/file/.", " ", ".../x",
):
    try:
        descriptor = os.open(path, os.O_RDONLY)
        print(repr(path), "opened:", os.listdir(path) if os.path.isdir(path) else os.read(descriptor, 20))
    except (OSError, ValueError) as error:
        print(repr(path), type(error).__name__, getattr(error, "strerror", None) or error)
