"""The tree that is mounted at /usr/local/lib/pythonX.Y: the standard library, the overlay, the runtime package, time zones, bytecode."""
import pprint
import runpy
import shutil

from . import pack
from .context import HERE, Context, fresh
from .cpython import native_python

# Nothing here can work in the guest, or it is of use only to CPython's own developers.
DROPPED = ("test", "tests", "idlelib", "tkinter", "turtledemo", "turtle.py", "ensurepip", "lib2to3", "__phello__", "__phello__.foo.py",
           "__pycache__", "*.pyc", "_ctypes_test*", "_sysconfigdata*", "site-packages", "*.exe", "*.bat", "regrtest.py")


def build(ctx: Context):
    root = fresh(ctx.work / "stdlib")
    shutil.copytree(ctx.src("cpython") / "Lib", root, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*DROPPED))
    shutil.copyfile(ctx.src("cpython") / "LICENSE", root / "LICENSE.txt")
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(ctx.src("tzdata") / "tzdata", root / "tzdata", ignore=ignore)
    shutil.copytree(HERE / "overlay", root, dirs_exist_ok=True, ignore=ignore)
    shutil.copytree(HERE / "prims_runtime/prims_runtime", root / "prims_runtime", ignore=ignore)
    (root / "site-packages").mkdir()
    write_sysconfig_data(ctx, root)
    compile_all(ctx, root, home(ctx))
    pack.check_no_host_paths(ctx, root)


def write_sysconfig_data(ctx: Context, root):
    """What the build found out, without the names of anything on the machine that built it."""
    folder = ctx.work / "cpython"
    data = next((folder / (folder / "pybuilddir.txt").read_text()).glob("_sysconfigdata_*.py"))
    values = runpy.run_path(str(data))["build_time_vars"]
    clean = {k: v for k, v in values.items() if not (isinstance(v, str) and pack.contains_host_path(ctx, v.encode()))}
    clean |= {"CC": "", "CXX": "", "AR": "", "LDSHARED": "", "BLDSHARED": "", "CONFIG_ARGS": "", "HOSTRUNNER": "", "EXT_SUFFIX": ctx.so_suffix}
    (root / data.name).write_text("# What sysconfig knows of the build.\nbuild_time_vars = " + pprint.pformat(clean, sort_dicts=True, width=120) + "\n")


def compile_all(ctx: Context, root, where: str):
    """Bytecode that is never checked against its source; the names in it are those of the guest, which finds `root` at `where`."""
    ctx.run(native_python(ctx), HERE / "builder/bytecode.py", root, where, log="bytecode.log")


def home(ctx: Context) -> str:
    """Where the guest finds the standard library."""
    return f"/usr/local/lib/python{ctx.python}"
