# Marshalled code of random bytes: an error or a crash of this run. One fixed case of each.
import marshal
found = []
for data in (b"\xe3" + bytes(50), b"(\xff\xff\xff\x7f", b"s\xff\xff\xff\xff", b"r\0\0\0\0", b"[" * 5000, b""):
    try:
        marshal.loads(data)
        found.append("loaded")
    except (ValueError, EOFError, TypeError, MemoryError, SystemError) as error:
        found.append(type(error).__name__)
found
