# There is no /proc, /sys, /dev or /etc.
import os, platform
found = [path for path in ("/proc", "/sys", "/dev", "/etc", "/home", "/root", "/var", "/bin", "/run", "/proc/self", "/proc/cpuinfo", "/etc/os-release", "/.dockerenv", "/sys/class/dmi") if os.path.lexists(path)]
try:
    platform.freedesktop_os_release()
except OSError as error:
    print(type(error).__name__, error)
found, os.cpu_count(), hasattr(os, "getloadavg"), hasattr(os, "sysconf") and os.sysconf_names.get("SC_NPROCESSORS_ONLN")
