"""The modules in C that test suites bring along, compiled as side modules with the toolchain of `python-wasm/build`."""
import re
from pathlib import Path

from builder import wasm
from builder.context import BuildError, Context, fresh, stamp
from builder.toolchain import Toolchain

# The rest of the test modules in Setup.stdlib need what the guest does not have: ctypes, another process.
CPYTHON = ["_testbuffer", "_testcapi", "_testclinic", "_testclinic_limited", "_testimportmultiple", "_testinternalcapi", "_testlimitedcapi",
           "_testmultiphase", "_testsinglephase", "_xxtestfuzz", "xxlimited", "xxlimited_35", "xxsubtype"]
NUMPY = ["_multiarray_tests", "_operand_flag_tests", "_rational_tests", "_struct_ufunc_tests", "_umath_tests"]


def cpython(build: Context, to: Path) -> None:
    """Test modules into the folder `to`. `build` is where python-wasm/build built."""
    source, config = build.src("cpython"), build.work / "cpython"
    if not (config / "pyconfig.h").exists():
        raise BuildError(f"{build.work} holds no built guest; run python-wasm/build, or leave --build out")
    done = stamp(build, "test-modules", Path(__file__), build.sources["cpython"].sha256, config / "pyconfig.h")
    built = build.work / "test-modules"
    if not done.done():
        compile_cpython(build, source, config, fresh(built))
        done.mark()
    for path in built.glob("*.so"):
        (to / path.name).write_bytes(path.read_bytes())


def compile_cpython(build: Context, source: Path, config: Path, to: Path) -> None:
    setup = (source / "Modules/Setup.stdlib.in").read_text()
    driver, objects = Toolchain(build).bin / "module-cc", fresh(build.work / "test-modules-objects")
    # pyconfig.h of the guest comes first; CPython's own folder may hold one of a build in the source tree.
    include = [f"-I{config}", f"-I{source}/Include", f"-I{source}/Include/internal", f"-I{source}/Include/internal/mimalloc", f"-I{source}/Modules"]

    def one(job):
        module, path = job
        out = objects / f"{module}-{path.stem}.o"
        build.run(driver, "-O2", "-DNDEBUG", "-Wno-date-time", "-DPy_BUILD_CORE_MODULE", *include, "-c", path, "-o", out, log=f"test-module-{out.stem}.log")
        return module, out

    jobs = []
    for module in CPYTHON:
        line = re.search(rf"^(?:@\w+@)?{module} (.+)$", setup, re.M)
        names = line[1].split() if line else [f"{module}.c"]
        jobs += [(module, source / "Modules" / name) for name in names if name.endswith(".c")]
    compiled = build.each(one, jobs)
    for module in CPYTHON:
        out = objects / f"{module}.so"
        build.run(driver, "-shared", *(o for m, o in compiled if m == module), "-o", out, log=f"test-module-link-{module}.log")
        (to / (module + build.so_suffix)).write_bytes(wasm.strip(out.read_bytes()))


def numpy(build: Context, to: Path) -> None:
    """numpy's test modules, which its build makes and our wheel leaves out, into the installed package `to`."""
    for module in NUMPY:
        found = sorted((build.work / "numpy-build/numpy/_core").glob(f"{module}.*.so"))
        if len(found) != 1:
            raise BuildError(f"{build.work} holds {len(found)} files {module}.*.so, expected 1; run python-wasm/build")
        (to / "_core" / (module + build.so_suffix)).write_bytes(wasm.strip(found[0].read_bytes()))
