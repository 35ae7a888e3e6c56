"""Just enough of the wasm and ar formats: symbol indexes, custom sections, imports and exports."""
from pathlib import Path


def archive_symbols(path: Path) -> set[str]:
    """The names in an archive's symbol index: everything its members define."""
    data = path.read_bytes()
    if data[:8] != b"!<arch>\n" or data[8:10] != b"/ ":
        raise ValueError(f"{path} is not an archive with a symbol index")
    size = int(data[56:66])
    index = data[68:68 + size]
    count = int.from_bytes(index[:4], "big")
    return {name.decode() for name in index[4 + 4 * count:].split(b"\0") if name}


def leb(data: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return result, at


def sections(module: bytes):
    """(id, name of a custom section or "", start of the section, start of its body, end)."""
    at = 8
    while at < len(module):
        start, kind = at, module[at]
        size, body = leb(module, at + 1)
        name = ""
        if kind == 0:
            n, p = leb(module, body)
            name = module[p:p + n].decode()
        at = body + size
        yield kind, name, start, body, at


def strip(module: bytes) -> bytes:
    """Without names, debug information and producers; what the loader reads (dylink.0, target_features) stays."""
    keep = [module[start:end] for kind, name, start, _, end in sections(module) if kind != 0 or name in ("dylink.0", "target_features")]
    return module[:8] + b"".join(keep)
