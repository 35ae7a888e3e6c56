"""The C++ runtime with exceptions, setjmp/longjmp, and the memory allocator: what the guest's C library lacks."""
from pathlib import Path

from .context import HERE, Context, stamp
from .toolchain import EMULATION, EXCEPTIONS, LIBCXX, OPTIMIZE, SETJMP, Toolchain

# Filesystem, experimental and Windows/Apple parts stay out.
LIBCXX_SKIP = ("experimental/", "filesystem/", "pstl/", "support/", "include/")
LIBCXXABI_SKIP = ("cxa_noexception.cpp",)


def build(ctx: Context, tools: Toolchain):
    done = stamp(ctx, "runtime", ctx.sources["ziglang"].sha256, ctx.sources["dlmalloc"].sha256, HERE / "glue", Path(__file__), HERE / "builder/toolchain.py")
    if done.done():
        return
    zig, out = tools.zig_lib, ctx.work / "runtime"
    base = [*OPTIMIZE, *EMULATION, *EXCEPTIONS, "-w"]

    libcxx = zig / "libcxx/src"
    sources = [s for s in sorted(libcxx.rglob("*.cpp")) if not str(s.relative_to(libcxx)).startswith(LIBCXX_SKIP)]
    flags = [*base, "-std=c++23", "-nostdinc++", f"-I{libcxx}", f"-I{zig}/libcxx/include", f"-I{zig}/libcxxabi/include",
             f"-I{zig}/libcxx/libc", "-D_LIBCPP_BUILDING_LIBRARY", "-DLIBCXX_BUILDING_LIBCXXABI", "-fvisibility=default"]
    objects = tools.compile(out / "cxx", sources, flags, cxx=True)
    tools.archive(tools.lib / "libc++.a", objects)

    abi = zig / "libcxxabi/src"
    sources = [s for s in sorted(abi.glob("*.cpp")) if s.name not in LIBCXXABI_SKIP]
    flags = [*base, "-std=c++23", "-nostdinc++", f"-I{zig}/libcxxabi/include", f"-I{zig}/libcxx/include", f"-I{zig}/libcxx/src",
             f"-I{zig}/libunwind/include", "-D_LIBCXXABI_BUILDING_LIBRARY", "-D_LIBCPP_ENABLE_CXX17_REMOVED_UNEXPECTED_FUNCTIONS", "-D_LIBCPP_BUILDING_LIBRARY", "-DHAVE___CXA_THREAD_ATEXIT_IMPL=0", "-U_LIBCXXABI_HAS_NO_THREADS"]
    objects = tools.compile(out / "cxxabi", sources, flags, cxx=True)
    tools.archive(tools.lib / "libc++abi.a", objects)

    unwind = [zig / "libunwind/src/Unwind-wasm.c"]
    objects = tools.compile(out / "unwind", unwind, [*base, "-std=c23", f"-I{zig}/libunwind/include", f"-I{zig}/libunwind/src", "-D_LIBUNWIND_HAS_NO_THREADS", "-D_LIBUNWIND_DISABLE_VISIBILITY_ANNOTATIONS", "-fdeclspec"])
    tools.archive(tools.lib / "libunwind.a", objects)

    # The interpreter's own additions, linked as objects so that they win over the C library's weak ones.
    glue = HERE / "glue"
    flags = [*OPTIMIZE, *EMULATION, *EXCEPTIONS, *SETJMP, "-fvisibility=default", f"-I{ctx.src('dlmalloc')}/libffi/src", f"-I{zig}/libc/musl/src/math"]
    names = ("malloc", "dl", "libc_fixes", "files", "exponentials", "logarithms", "emscripten")
    tools.compile(out / "glue", [glue / f"{name}.c" for name in names] + [glue / "tags.s"], flags)
    tools.compile(out / "glue", [glue / "strings.c"], [*flags, "-fno-builtin"])
    done.mark()
