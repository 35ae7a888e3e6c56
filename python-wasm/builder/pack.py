"""Archives that are the same bytes whenever and wherever they are made: tar, zip (wheels), zstd."""
import base64
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

from .context import EPOCH, HERE, BuildError, Context


def tree(root: Path) -> list[Path]:
    return sorted((p for p in root.rglob("*")), key=lambda p: p.relative_to(root).as_posix())


def tar(root: Path) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in tree(root):
            info = tarfile.TarInfo(path.relative_to(root).as_posix())
            info.mtime = EPOCH
            if path.is_dir():
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(info)
            else:
                data = path.read_bytes()
                info.size, info.mode = len(data), 0o644
                archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def wheel(root: Path, to: Path):
    """Zips a finished wheel tree. Extension modules are stored deflated like everything else."""
    with zipfile.ZipFile(to, "w") as archive:
        for path in tree(root):
            if path.is_file():
                info = zipfile.ZipInfo(path.relative_to(root).as_posix(), (2026, 1, 1, 0, 0, 0))
                info.external_attr = 0o644 << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, path.read_bytes(), compresslevel=9)


def finish_wheel(ctx: Context, root: Path, info: Path):
    """WHEEL and RECORD."""
    (info / "WHEEL").write_text(f"Wheel-Version: 1.0\nGenerator: prims-wasm\nRoot-Is-Purelib: false\nTag: {ctx.tag}\n")
    record = []
    for path in tree(root):
        if path.is_file():
            data = path.read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record.append(f"{path.relative_to(root).as_posix()},sha256={digest},{len(data)}\n")
    relative = (info / "RECORD").relative_to(root).as_posix()
    (info / "RECORD").write_text("".join(record) + f"{relative},,\n")


def zstd(ctx: Context, data: bytes) -> bytes:
    """Level 19 with the pinned zstandard, which only the native interpreter of the build can load."""
    from .cpython import native_python
    raw, packed = ctx.work / "zstd.in", ctx.work / "zstd.out"
    raw.write_bytes(data)
    program = ("import sys, zstandard; raw = open(sys.argv[1], 'rb').read(); "
               "open(sys.argv[2], 'wb').write(zstandard.ZstdCompressor(level=19, write_content_size=True, write_checksum=True).compress(raw))")
    ctx.run(native_python(ctx), "-c", program, raw, packed, env={"PYTHONPATH": str(ctx.src("zstandard"))}, log="zstd.log")
    result = packed.read_bytes()
    raw.unlink(), packed.unlink()
    return result


def check_no_host_paths(ctx: Context, root: Path):
    """Nothing of this machine may be in what we ship."""
    bad = [str(p.relative_to(root)) for p in tree(root) if p.is_file() and contains_host_path(ctx, p.read_bytes())]
    if bad:
        raise BuildError(f"these files hold a path of the build machine: {', '.join(bad[:20])}")


def contains_host_path(ctx: Context, data: bytes) -> bool:
    return any(str(p).encode() in data for p in (ctx.work, HERE, Path.home()) if len(p.parts) > 2 or p == ctx.work)
