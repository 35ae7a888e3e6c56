"""The wheel prims_selftest: side modules that throw, catch and jump, inside and across modules."""
import shutil

from . import pack, wasm
from .context import HERE, Context, fresh
from .toolchain import Toolchain


def build(ctx: Context, tools: Toolchain):
    source, root, objects = HERE / "selftest", fresh(ctx.work / "selftest-wheel"), fresh(ctx.work / "selftest-build")
    shutil.copytree(source / "prims_selftest", root / "prims_selftest", ignore=shutil.ignore_patterns("__pycache__"))
    include = [f"-I{ctx.src('cpython')}/Include", f"-I{ctx.work}/cpython"]
    for module in sorted(source.glob("_*.c*")):
        cxx = module.suffix == ".cpp"
        driver = tools.bin / ("module-c++" if cxx else "module-cc")
        out = objects / f"{module.stem}.so"
        ctx.run(driver, "-O2", *(["-std=c++20"] if cxx else []), *include, "-c", module, "-o", out.with_suffix(".o"), log=f"selftest-{module.stem}.log")
        ctx.run(driver, "-shared", out.with_suffix(".o"), "-o", out, log=f"selftest-link-{module.stem}.log")
        (root / "prims_selftest" / (module.stem + ctx.so_suffix)).write_bytes(wasm.strip(out.read_bytes()))
    info = root / "prims_selftest-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: prims-selftest\nVersion: 1.0\nSummary: Checks the linking of side modules\n")
    pack.finish_wheel(ctx, root, info)
    pack.check_no_host_paths(ctx, root)
