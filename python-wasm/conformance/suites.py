"""The two suites: what is unpacked, which files are run, and how."""
import hashlib
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from builder import fetch
from builder.context import BuildError, Context, fresh, sha256
from builder.cpython import native_python

from . import modules

HERE = Path(__file__).resolve().parent

# What regrtest splits as well: each file of these packages is a unit of its own.
SPLIT = {"test_asyncio", "test_concurrent_futures", "test_doctests", "test_future_stmt", "test_gdb", "test_inspect", "test_pydoc",
         "test_multiprocessing_fork", "test_multiprocessing_forkserver", "test_multiprocessing_spawn"}
NUMPY_PARTS = ["_core", "lib", "linalg", "fft", "random", "ma", "polynomial", "matrixlib"]


@dataclass
class Suite:
    name: str
    title: str
    driver: str
    timeout: int
    prepare: Callable  # (work, build or None) -> (folder for /mounts, folder of packages or None)
    units: Callable  # (folder for /mounts, folder of packages or None) -> names of test files
    skip_intro: str  # what the report says above its table of skipped tests
    needs_build: bool = False
    preload: str = "@default"
    request: dict = field(default_factory=dict)

    @property
    def command(self) -> str:
        return f"python-wasm/conformance/run {self.name}"


def archive(ctx: Context, name: str) -> Path:
    """The source archive, checked."""
    source = ctx.sources[name]
    found = ctx.work / "archives" / f"{name}-{source.version}-{source.sha256[:12]}"
    if not (found.exists() and sha256(found) == source.sha256):
        found.parent.mkdir(exist_ok=True)
        shutil.copyfile(fetch.find_local(ctx, source) or fetch.download(ctx, source), found)
    return found


def take(source: Path, wanted: str, target: Path) -> None:
    """The folder or file `wanted` of an archive as `target`."""
    with tarfile.open(source) as t:
        for member in t:
            path = member.name.partition("/")[2]
            if path == wanted:
                member.name = target.name
                t.extract(member, target.parent, filter="data")
            elif path.startswith(wanted + "/"):
                member.name = path[len(wanted) + 1:]
                t.extract(member, target, filter="data")


def digest(folder: Path) -> str:
    """Names what a folder holds."""
    names = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        names.update(f"{path.relative_to(folder)} {sha256(path)}\n".encode())
    return names.hexdigest()


def prepare_cpython(ctx: Context, build: Context | None):
    mounts = fresh(ctx.work / "cpython-mounts")
    take(archive(ctx, "cpython"), "Lib/test", mounts / "test")
    if build is None:
        return mounts, None
    site = fresh(ctx.work / "cpython-site")
    modules.cpython(build, site)
    return mounts, site


def cpython_units(mounts: Path, _) -> list[str]:
    def find(folder: Path, package: str):
        for path in sorted(folder.iterdir()):
            if not path.name.startswith("test_") or path.suffix not in ("", ".py"):
                continue
            name = f"{package}.{path.stem}"
            if path.is_dir() and path.name in SPLIT:
                yield from find(path, name)
            elif path.is_file() or (path / "__init__.py").exists():
                yield name
    return list(find(mounts / "test", "test"))


def prepare_numpy(ctx: Context, build: Context):
    """numpy as it ships, the tests it ships without, their C modules, and pytest."""
    site, source = fresh(ctx.work / "numpy-site"), archive(ctx, "numpy")
    wheels = ctx.work / "numpy-wheels"
    if not wheels.exists():
        fresh(wheels)
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--platform", "any",
                        "--implementation", "py", "--python-version", build.python, "-r", str(HERE / "requirements.txt"), "-d", str(wheels)], check=True)
    ours = ctx.dist / next(p.name for p in ctx.dist.glob("numpy-*.whl"))
    for wheel in [ours, *sorted(wheels.glob("*.whl"))]:
        with zipfile.ZipFile(wheel) as z:
            z.extractall(site)
    for part in NUMPY_PARTS:
        take(source, f"numpy/{part}/tests", site / "numpy" / part / "tests")
    take(source, "numpy/conftest.py", site / "numpy/conftest.py")
    take(source, "numpy/testing", site / "numpy/testing")
    take(source, "pytest.ini", site / "pytest.ini")
    modules.numpy(build, site / "numpy")
    guest = f"/usr/local/lib/python{build.python}/site-packages"
    ctx.run(native_python(build), "-m", "compileall", "-q", "-j1", "-s", site, "-p", guest, "--invalidation-mode", "unchecked-hash", site, log="compileall.log")
    return fresh(ctx.work / "numpy-mounts"), site


def numpy_units(_, site: Path) -> list[str]:
    return [str(p.relative_to(site)) for part in NUMPY_PARTS for p in sorted((site / "numpy" / part / "tests").glob("test_*.py"))]


SUITES = {s.name: s for s in [
    Suite("cpython", "CPython's own tests", "driver_unittest.py", 120, prepare_cpython, cpython_units,
          "The tests decide this by themselves, by `sys.platform` and by whether a module or function is there; nothing is left out by the harness. The marks for WASI are CPython's own, so "
          "its build for WASI skips these as well; that build was not run beside ours, so the numbers are not a comparison with it.", request={"resources": []}),
    Suite("numpy", "numpy's own tests", "driver_pytest.py", 300, prepare_numpy, numpy_units, "The tests decide this by themselves; those marked as slow are not run, as in `numpy.test()`.",
          needs_build=True, preload="@default,numpy,numpy.testing,pytest,hypothesis", request={"options": ["-m", "not slow", "--hypothesis-profile=np.test() profile"]}),
]}
