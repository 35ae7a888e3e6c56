"""The interpreter: a native one that drives the cross build, libpython for the guest, and the reactor module python.wasm."""
import lzma
import shutil
from pathlib import Path

from . import wasm
from .context import HERE, Context, fresh, stamp
from .toolchain import EMULATION, OPTIMIZE, Toolchain

STACK = 16 << 20
PROFILE = HERE / "profile/interpreter.profdata.xz"  # what profile/train.py measured

# Answers configure cannot find out by compiling. No OpenSSL, curses and the like; _socket is a module of the standard library overlay.
CONFIGURE = {f"py_cv_module_{name}": "n/a" for name in ("_socket", "_ctypes", "_uuid", "readline", "_ssl", "_hashlib", "_curses", "_curses_panel", "_dbm", "_gdbm", "_tkinter")}
CONFIGURE |= {"ac_cv_func_dlopen": "yes", "ac_cv_lib_dl_dlopen": "no",
              # declared by the headers, absent from the library
              "ac_cv_func_memfd_create": "no", "ac_cv_func_setgroups": "no"}
# In glue/files.c, which is linked later; or right in our host, where CPython's own answers for WASI say that they are not.
CONFIGURE |= {f"ac_cv_func_{name}": "yes" for name in ("dup", "dup2", "dup3", "chmod", "fchmod", "fchmodat", "readv", "writev", "preadv", "pwritev")}

# Symbols of the C library's archives that drag in a `main` or make no sense in a reactor.
NOT_EXPORTED = {"main", "_start", "__main_void", "__main_argc_argv", "__original_main", "_initialize", "__wasm_call_ctors", "__wasm_call_dtors"}


def build_native(ctx: Context):
    done = stamp(ctx, "native", ctx.sources["cpython"].sha256)
    if done.done():
        return
    source, folder = ctx.src("cpython"), fresh(ctx.work / "native-build")
    ctx.run(source / "configure", "-q", f"--prefix={ctx.work}/native", "--with-ensurepip=no", "--disable-test-modules", cwd=folder, log="native-configure.log")
    ctx.run("make", "-s", f"-j{ctx.jobs}", cwd=folder, log="native-make.log")
    ctx.run("make", "-s", "install", cwd=folder, log="native-install.log")
    shutil.rmtree(folder)
    done.mark()


def native_python(ctx: Context) -> Path:
    return ctx.work / f"native/bin/python{ctx.python}"


def build_library(ctx: Context, tools: Toolchain):
    """libpython.a and the archives beside it, as LLVM bitcode when LTO is on."""
    source, folder = ctx.src("cpython"), ctx.work / f"cpython{ctx.variant}"
    if ctx.profile == "use":
        (ctx.work / "interpreter.profdata").write_bytes(lzma.decompress(PROFILE.read_bytes()))
    done = stamp(ctx, f"cpython{ctx.variant}", PROFILE if ctx.profile == "use" else "", ctx.sources["cpython"].sha256, HERE / "patches/cpython", HERE / "modules", Path(__file__),
                 HERE / "builder/toolchain.py", HERE / "builder/libraries.py", *ctx.interpreter_flags())
    if done.done():
        return
    fresh(folder)
    modules = sorted((HERE / "modules").glob("*.c"))
    for module in modules:
        shutil.copyfile(module, source / "Modules" / module.name)
    site = folder / "config.site"
    site.write_text("".join(f"{name}={value}\n" for name, value in CONFIGURE.items()))
    env = {
        "CC": str(tools.cc), "CXX": str(tools.cxx), "AR": str(tools.ar), "RANLIB": str(tools.ranlib), "CPP": f"{tools.cc} -E",
        "CFLAGS": " ".join(EMULATION), "OPT": " ".join(OPTIMIZE), "CFLAGS_NODIST": " ".join(ctx.interpreter_flags()),
        "LDFLAGS": f"-Wl,-z,stack-size={STACK}", "CONFIG_SITE": f"{source}/Tools/wasm/config.site-wasm32-wasi {site}",
        "ZLIB_CFLAGS": " ", "ZLIB_LIBS": "-lz", "BZIP2_CFLAGS": " ", "BZIP2_LIBS": "-lbz2", "LIBLZMA_CFLAGS": " ", "LIBLZMA_LIBS": "-llzma",
        "LIBSQLITE3_CFLAGS": " ", "LIBSQLITE3_LIBS": "-lsqlite3",
    }
    # A relative path, so that the names of static functions in the profile do not depend on where the build lies.
    ctx.run("../src/cpython/configure", "--host=wasm32-unknown-wasip1", "--build=x86_64-pc-linux-gnu", f"--with-build-python={native_python(ctx)}",
            "--prefix=/usr/local", "--disable-test-modules", "--with-ensurepip=no", "--with-pymalloc",
            cwd=folder, env=env, log="configure.log")
    (folder / "Modules/Setup.local").write_text("*static*\n" + "".join(f"{m.stem} {m.name}\n" for m in modules))
    ctx.run("make", f"-j{ctx.jobs}", f"libpython{ctx.python}.a", *archives(), "pybuilddir.txt", cwd=folder, env=env, log="make.log")
    done.mark()


def archives() -> list[str]:
    return ["Modules/expat/libexpat.a", "Modules/_hacl/libHacl_Hash_SHA2.a", "Modules/_decimal/libmpdec/libmpdec.a"]


def link(ctx: Context, tools: Toolchain):
    """python.wasm with names (work/python.debug.wasm) and without (work/python.wasm)."""
    folder, runtime = ctx.work / f"cpython{ctx.variant}", ctx.work / "runtime"
    before = [ctx.work / "stamps" / name for name in (f"cpython{ctx.variant}", "runtime", "libraries")]
    done = stamp(ctx, f"link{ctx.variant}", *before, HERE / "glue", HERE / "profile/counters.c", Path(__file__), HERE / "builder/wasm.py", *ctx.interpreter_flags())
    if done.done():
        return
    glue = runtime / f"interpreter{ctx.variant}"
    sources = [HERE / "glue/glue.c", HERE / "glue/program.c", *([HERE / "profile/counters.c"] if ctx.profile == "generate" else [])]
    objects = tools.compile(glue, sources, [*OPTIMIZE, *EMULATION, *ctx.interpreter_flags(), f'-DPRIMS_PYTHON="{ctx.python}"',
                                                 f"-I{ctx.src('cpython')}/Include", f"-I{folder}"])
    own = [*objects, *sorted((runtime / "glue").glob("*.o"))]
    system = [tools.lib / "libc.a", tools.root / "resource/lib/wasm32-unknown-wasip1/libclang_rt.builtins.a",
              tools.lib / "libc++.a", tools.lib / "libc++abi.a", tools.lib / "libunwind.a"]
    exports = sorted({s for a in system for s in wasm.archive_symbols(a)} - NOT_EXPORTED | {"__cpp_exception", "__c_longjmp", "__stack_pointer"})
    options = ["--entry=_initialize", "--stack-first", "-z", f"stack-size={STACK}", "--export-table", "--growable-table", "--export-dynamic",
               "--lto-O3", "--build-id=none", "-o", ctx.work / f"python{ctx.variant}.debug.wasm", tools.lib / "crt1-reactor.o", *own,
               "--whole-archive", folder / f"libpython{ctx.python}.a", "--no-whole-archive", *(folder / a for a in archives()),
               *(tools.lib / f"lib{n}.a" for n in ("z", "bz2", "lzma", "sqlite3")), *system[2:], *system[:2], *(f"--export={s}" for s in exports)]
    response = ctx.work / "link.rsp"
    response.write_text("\n".join(map(str, options)) + "\n")
    ctx.run(tools.bin / "wasm-ld", f"@{response}", log="link.log")
    (ctx.work / f"python{ctx.variant}.wasm").write_bytes(wasm.strip((ctx.work / f"python{ctx.variant}.debug.wasm").read_bytes()))
    done.mark()
