# There is no /proc, /sys or /etc, and /dev holds nothing of the host.
import os, platform
found = [path for path in ("/proc", "/sys", "/etc", "/home", "/root", "/var", "/bin", "/run", "/proc/self", "/proc/cpuinfo", "/etc/os-release", "/.dockerenv", "/sys/class/dmi") if os.path.lexists(path)]
try:
    platform.freedesktop_os_release()
except OSError as error:
    print(type(error).__name__, error)
found, sorted(os.listdir("/dev")), os.cpu_count(), hasattr(os, "getloadavg"), hasattr(os, "sysconf") and os.sysconf_names.get("SC_NPROCESSORS_ONLN")
