"""Small packages that many others need, whose projects publish wheels with native code for other platforms only.

The wheels are taken as they are but for that code: MarkupSafe's brings the C source it was made from, which is compiled for the guest;
PyYAML goes without its own, as it does wherever libyaml is missing.
"""
import shutil
from pathlib import Path

from . import pack, stdlib, wasm
from .context import Context, fresh
from .toolchain import Toolchain

NAMES = ("markupsafe", "pyyaml")
DROPPED = ("*.so", "*.c", "*.pyi", "RECORD", "WHEEL", "top_level.txt")


def build(ctx: Context, tools: Toolchain):
    for name in NAMES:
        source, root = ctx.src(name), fresh(folder(ctx, name))
        shutil.copytree(source, root, ignore=shutil.ignore_patterns(*DROPPED, "__pycache__"), dirs_exist_ok=True)
        for module in sorted(source.rglob("*.c")):
            (root / module.relative_to(source)).with_suffix(ctx.so_suffix).write_bytes(compiled(ctx, tools, module))
        stdlib.compile_all(ctx, root, f"{stdlib.home(ctx)}/site-packages")
        pack.finish_wheel(ctx, root, next(root.glob("*.dist-info")))
        pack.check_no_host_paths(ctx, root)


def compiled(ctx: Context, tools: Toolchain, module: Path) -> bytes:
    objects, driver = fresh(ctx.work / "needed-build" / module.stem), tools.bin / "module-cc"
    made, out = objects / "module.o", objects / "module.so"
    include = [f"-I{ctx.src('cpython')}/Include", f"-I{ctx.work}/cpython"]
    ctx.run(driver, "-O2", "-DNDEBUG", *include, "-c", module, "-o", made, log=f"needed-{module.stem}.log")
    ctx.run(driver, "-shared", made, "-o", out, log=f"needed-link-{module.stem}.log")
    return wasm.strip(out.read_bytes())


def folder(ctx: Context, name: str) -> Path:
    return ctx.work / f"{name}-wheel"
