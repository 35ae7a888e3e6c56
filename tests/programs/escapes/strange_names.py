# Names that are too long, hold NUL or are no UTF-8.
import os
for name, path in {"NUL": "a\0b", "NUL bytes": b"/etc/passwd\0.txt", "64 KiB": "x" * 65536, "long path": "d/" * 40_000 + "f", "a name of 300": "n" * 300, "not UTF-8": b"\xff\xfe", "surrogate": "\udcff", "lone": "\ud800", "newline": "a\nb", "control": "\x1b[31m", "right to left": "\u202etxt.exe", "device": "CON", "dots": "...", "space": " x ", "composed": "\u00e9", "decomposed": "e\u0301"}.items():
    try:
        open(path, "w").close()
        print(name, "made", ascii([n for n in os.listdir() if n != "d"]))
        os.remove(path)
    except (OSError, ValueError) as error:
        print(name, type(error).__name__, getattr(error, "strerror", None) or error)
