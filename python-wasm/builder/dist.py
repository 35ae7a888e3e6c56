"""The files the repository carries, and the manifest that names their digests."""
import hashlib
import json

from . import pack
from .context import Context, fresh


def build(ctx: Context):
    """Fills ctx.dist."""
    fresh(ctx.dist)
    files = [
        compressed(ctx, "python.wasm.zst", "module", (ctx.work / "python.wasm").read_bytes()),
        compressed(ctx, "stdlib.tar.zst", "stdlib", pack.tar(ctx.work / "stdlib")),
        wheel(ctx, f"numpy-{ctx.sources['numpy'].version}-{ctx.tag}.whl", "wheel", ctx.work / "numpy-wheel"),
        wheel(ctx, f"prims_selftest-1.0-{ctx.tag}.whl", "test-wheel", ctx.work / "selftest-wheel"),
    ]
    sources = [{"name": s.name, "version": s.version, "sha256": s.sha256, "license": s.license} for s in ctx.sources.values() if s.ships]
    manifest = {"version": 1, "python": ctx.sources["cpython"].version, "target": {"tag": ctx.tag}, "files": files, "sources": sources}
    (ctx.dist / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


def compressed(ctx: Context, name: str, kind: str, data: bytes) -> dict:
    packed = pack.zstd(ctx, data)
    (ctx.dist / name).write_bytes(packed)
    return entry(name, kind, packed, data)


def wheel(ctx: Context, name: str, kind: str, root) -> dict:
    pack.wheel(root, ctx.dist / name)
    data = (ctx.dist / name).read_bytes()
    return entry(name, kind, data, pack.tar(root))


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
