"""numpy as a wheel: its extension modules are PIC side modules that the host links against the running interpreter."""
import os
import re
import shutil
from pathlib import Path

from . import pack, stdlib, wasm
from .context import HERE, Context, fresh, stamp
from .cpython import native_python
from .toolchain import Toolchain, script

# Meson has no word for WASI; the answers it would give for emscripten fit.
CROSS = """
[binaries]
c = '{bin}/module-cc'
cpp = '{bin}/module-c++'
ar = '{bin}/ar'
ranlib = '{bin}/ranlib'
strip = 'true'
[built-in options]
c_args = ['-O3', '-DNDEBUG', '-Wno-date-time']
cpp_args = ['-O3', '-DNDEBUG', '-Wno-date-time']
[host_machine]
system = 'emscripten'
cpu_family = 'wasm32'
cpu = 'wasm32'
endian = 'little'
[properties]
needs_exe_wrapper = true
skip_sanity_check = true
longdouble_format = 'IEEE_QUAD_LE'
"""

OPTIONS = ["-Dallow-noblas=true", "-Dblas=none", "-Dlapack=none", "-Ddisable-optimization=true", "-Dbuildtype=release"]
DROPPED = ("tests", "pkgconfig", "npy-pkg-config", "_pyinstaller", "*.pyi", "*.a", "*.h", "*.pxd", "__pycache__", "*.pyc")


def build(ctx: Context, tools: Toolchain):
    installed = ctx.work / "numpy-install"
    done = stamp(ctx, "numpy", *(ctx.sources[n].sha256 for n in ("numpy", "cython", "cpython")), HERE / "patches/numpy", CROSS, *OPTIONS,
                 HERE / "builder/toolchain.py", ctx.tag)
    if not done.done():
        compile_and_install(ctx, tools, fresh(installed))
        done.mark()
    make_wheel(ctx, installed)


def compile_and_install(ctx: Context, tools: Toolchain, installed: Path):
    source, folder, python = ctx.src("numpy"), fresh(ctx.work / "numpy-build"), native_python(ctx)
    cython = fresh(ctx.work / "host-bin") / "cython"
    script(cython, f'PYTHONPATH="{ctx.src("cython")}" exec "{python}" -m cython "$@"\n')
    ninja = next(p for p in ctx.src("ninja").rglob("ninja") if p.is_file())
    # Python.h includes "pyconfig.h" from its own folder, so the build interpreter's must describe the guest from here on.
    shutil.copyfile(ctx.work / "cpython/pyconfig.h", ctx.work / f"native/include/python{ctx.python}/pyconfig.h")
    cross = ctx.work / "meson.cross"
    cross.write_text(CROSS.format(bin=tools.bin))
    meson = [python, source / "vendored-meson/meson/meson.py"]
    env = {"NINJA": str(ninja), "PATH": f"{cython.parent}:{os.environ['PATH']}"}
    ctx.run(*meson, "setup", folder, source, "--cross-file", cross, *OPTIONS, env=env, log="numpy-setup.log")
    ctx.run(ninja, "-C", folder, f"-j{ctx.jobs}", env=env, log="numpy-ninja.log")
    ctx.run(*meson, "install", "--no-rebuild", "-C", folder, "--tags", "runtime,python-runtime", env=env | {"DESTDIR": str(installed)}, log="numpy-install.log")


def make_wheel(ctx: Context, installed: Path):
    root = fresh(ctx.work / "numpy-wheel")
    package = next(p for p in installed.rglob("numpy") if p.parent.name == "site-packages")
    shutil.copytree(package, root / "numpy", ignore=shutil.ignore_patterns(*DROPPED))
    for module in sorted(root.rglob("*.so")):
        name = module.name.partition(".")[0] + ctx.so_suffix
        module.with_name(name).write_bytes(wasm.strip(module.read_bytes()))
        module.unlink()
    neutralise(ctx, root / "numpy/__config__.py")
    # The environment of a run is read-only: what a program imports lazily would be compiled in every run.
    stdlib.compile_all(ctx, root, f"{stdlib.home(ctx)}/site-packages")
    write_metadata(ctx, root, ctx.src("numpy"))
    pack.check_no_host_paths(ctx, root)


def neutralise(ctx: Context, config: Path):
    """numpy.show_config() shall name no file of the build machine."""
    text = config.read_text().replace(str(ctx.work), "/build").replace(str(HERE), "/build/python-wasm")
    config.write_text(text)


def write_metadata(ctx: Context, root: Path, source: Path):
    pin = ctx.sources["numpy"]
    info = root / f"numpy-{pin.version}.dist-info"
    info.mkdir()
    shutil.copyfile(source / "PKG-INFO", info / "METADATA")
    for name in re.findall(r"^License-File: (.+)$", (source / "PKG-INFO").read_text(), re.M):
        to = info / "licenses" / name
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, to)
    pack.finish_wheel(ctx, root, info)
