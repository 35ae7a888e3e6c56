"""The files the repository carries, and the manifest that names their digests."""
import hashlib
import json
import shutil
from pathlib import Path

from . import needed, pack
from .context import Context, fresh


def build(ctx: Context):
    """Makes ctx.dist, which is replaced only when all of it is there."""
    made = fresh(ctx.dist.with_name(f"{ctx.dist.name}.new"))
    files = [
        compressed(ctx, made / "python.wasm.zst", "module", (ctx.work / "python.wasm").read_bytes()),
        compressed(ctx, made / "stdlib.tar.zst", "stdlib", pack.tar(ctx.work / "stdlib")),
        wheel(made / f"numpy-{ctx.sources['numpy'].version}-{ctx.tag}.whl", "wheel", ctx.work / "numpy-wheel"),
        *(wheel(made / f"{name}-{ctx.sources[name].version}-{ctx.tag}.whl", "wheel", needed.folder(ctx, name)) for name in needed.NAMES),
        wheel(made / f"prims_selftest-1.0-{ctx.tag}.whl", "test-wheel", ctx.work / "selftest-wheel"),
    ]
    sources = [{"name": s.name, "version": s.version, "sha256": s.sha256, "license": s.license} for s in ctx.sources.values() if s.ships]
    manifest = {"version": 1, "python": ctx.sources["cpython"].version, "target": {"tag": ctx.tag}, "files": files, "sources": sources}
    (made / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    replace(ctx.dist, made)


def replace(folder: Path, made: Path):
    before = folder.with_name(f"{folder.name}.old")
    if before.exists():
        shutil.rmtree(before)
    if folder.exists():
        folder.rename(before)
    made.rename(folder)
    shutil.rmtree(before, ignore_errors=True)


def compressed(ctx: Context, to: Path, kind: str, data: bytes) -> dict:
    packed = pack.zstd(ctx, data)
    to.write_bytes(packed)
    return entry(to.name, kind, packed, data)


def wheel(to: Path, kind: str, root: Path) -> dict:
    pack.wheel(root, to)
    return entry(to.name, kind, to.read_bytes(), pack.tar(root))


def entry(name: str, kind: str, packed: bytes, unpacked: bytes) -> dict:
    """For a wheel, "unpacked" is the tar of its tree: a way to compare contents apart from compression."""
    digest = lambda b: hashlib.sha256(b).hexdigest()
    return {"name": name, "kind": kind, "sha256": digest(packed), "size": len(packed), "unpacked_sha256": digest(unpacked), "unpacked_size": len(unpacked)}


def compare(committed, built) -> list[str]:
    """What differs between two dist folders, by their manifests and by the bytes of the files."""
    old, new = (json.loads((folder / "manifest.json").read_text()) for folder in (committed, built))
    differences = [f"{key}: {old.get(key)!r}, now {new.get(key)!r}" for key in ("version", "python", "target", "sources") if old.get(key) != new.get(key)]
    was, now = ({f["name"]: f for f in m["files"]} for m in (old, new))
    for name in sorted(was.keys() | now.keys()):
        if was.get(name) != now.get(name):
            differences.append(f"{name}: {was.get(name)}, now {now.get(name)}")
        elif hashlib.sha256((committed / name).read_bytes()).hexdigest() != was[name]["sha256"]:
            differences.append(f"{name}: the committed file does not match its manifest")
    return differences
