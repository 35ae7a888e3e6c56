"""A wasm32-wasip1 toolchain made of the parts of the `ziglang` wheel: clang and wasm-ld called directly, a sysroot, a C library.

zig's own driver (`zig cc`) is used once, to make it build its C library; it refuses too many flags to be a good compiler for autoconf and meson.
"""
import os
import re
import shutil
from pathlib import Path

from .context import HERE, BuildError, Context, fresh, stamp

CPU = ["-mcpu=generic", "-msimd128", "-mexception-handling", "-mextended-const"]
ZIG_CPU = "generic+simd128+bulk_memory+bulk_memory_opt+exception_handling+extended_const+multivalue+mutable_globals+nontrapping_fptoint+reference_types+sign_ext"
EXCEPTIONS = ["-fwasm-exceptions", "-mllvm", "-wasm-use-legacy-eh=false"]
SETJMP = ["-mllvm", "-wasm-enable-sjlj"]
EMULATION = ["-D_WASI_EMULATED_SIGNAL", "-D_WASI_EMULATED_GETPID", "-D_WASI_EMULATED_PROCESS_CLOCKS", "-D_WASI_EMULATED_MMAN"]
OPTIMIZE = ["-O3", "-DNDEBUG"]
# The second version of libc++'s binary interface, which emscripten has too: side modules built there find what they import.
LIBCXX = ["-D_LIBCPP_ABI_VERSION=2", "-D_LIBCPP_ABI_NAMESPACE=__2", "-D_LIBCPP_HAS_THREADS=1", "-D_LIBCPP_HAS_THREAD_API_PTHREAD=1",
          "-D_LIBCPP_HAS_MONOTONIC_CLOCK=1", "-D_LIBCPP_HAS_TERMINAL=0", "-D_LIBCPP_HAS_MUSL_LIBC=1", "-D_LIBCPP_HAS_FILESYSTEM=0",
          "-D_LIBCPP_HAS_RANDOM_DEVICE=1", "-D_LIBCPP_HAS_LOCALIZATION=1", "-D_LIBCPP_HAS_UNICODE=1", "-D_LIBCPP_HAS_WIDE_CHARACTERS=1",
          "-D_LIBCPP_HAS_VENDOR_AVAILABILITY_ANNOTATIONS=0", "-D_LIBCPP_HAS_TIME_ZONE_DATABASE=0", "-D_LIBCPP_PSTL_BACKEND_SERIAL",
          # Side modules have their own copies of a type's type_info: compare the names.
          "-D_LIBCPP_TYPEINFO_COMPARISON_IMPLEMENTATION=2",
          "-D_LIBCPP_HARDENING_MODE=_LIBCPP_HARDENING_MODE_NONE", "-D_LIBCPP_ASSERTION_SEMANTIC_DEFAULT=_LIBCPP_ASSERTION_SEMANTIC_IGNORE",
          "-D_LIBCPP_DISABLE_VISIBILITY_ANNOTATIONS", "-D_LIBCXXABI_DISABLE_VISIBILITY_ANNOTATIONS"]

# zig ships the whole of musl's headers. These describe things that WASI does not have; configure scripts must not find them.
ABSENT_HEADERS = """
aio.h elf.h fmtmsg.h grp.h ifaddrs.h lastlog.h libintl.h link.h mntent.h mqueue.h net/ netdb.h netpacket/ netinet/ether.h netinet/if_ether.h
paths.h pty.h pwd.h resolv.h scsi/ shadow.h spawn.h sys/acct.h sys/auxv.h sys/cachectl.h sys/epoll.h sys/eventfd.h sys/fanotify.h sys/fsuid.h
sys/inotify.h sys/io.h sys/ipc.h sys/kd.h sys/klog.h sys/membarrier.h sys/mount.h sys/msg.h sys/mtio.h sys/personality.h sys/prctl.h
sys/procfs.h sys/ptrace.h sys/quota.h sys/reboot.h sys/sem.h sys/sendfile.h sys/shm.h sys/signalfd.h sys/soundcard.h sys/statfs.h sys/statvfs.h
sys/swap.h sys/syscall.h sys/sysinfo.h sys/syslog.h sys/sysmacros.h sys/termios.h sys/timerfd.h sys/timex.h sys/ttydefaults.h sys/ucontext.h
sys/user.h sys/vfs.h sys/vt.h sys/wait.h sys/xattr.h syslog.h termios.h ucontext.h ulimit.h utmp.h utmpx.h wait.h wordexp.h
""".split()


# What glue/files.c adds to the C library.
DECLARED = {
    "unistd.h": ("#ifdef __wasilibc_unmodified_upstream /* WASI has no dup */", "#if 1 /* the host has dup */"),
    "__header_fcntl.h": ("#define F_GETFD (1)", "#define F_DUPFD (0)\n#define F_DUPFD_CLOEXEC (1030)\n#define F_GETFD (1)"),
}


class Toolchain:
    def __init__(self, ctx: Context):
        self.ctx = ctx
        self.zig_lib = ctx.src("ziglang") / "ziglang/lib"
        self.zig = ctx.src("ziglang") / "ziglang/zig"
        self.root = ctx.work / "toolchain"
        self.sysroot = self.root / "sysroot"
        self.lib = self.sysroot / "lib/wasm32-wasip1"
        self.bin = self.root / "bin"
        self.cc, self.cxx, self.ar, self.ranlib = (self.bin / n for n in ("cc", "c++", "ar", "ranlib"))

    def prefix_maps(self) -> list[str]:
        return [f"-ffile-prefix-map={self.ctx.work}=/build", f"-ffile-prefix-map={HERE}=/build/python-wasm"]

    def build(self):
        done = stamp(self.ctx, "toolchain", self.ctx.sources["ziglang"].sha256, HERE / "patches/ziglang", Path(__file__))
        if done.done():
            return
        fresh(self.root)
        self.make_sysroot()
        self.make_drivers()
        self.make_c_library()
        done.mark()

    def make_sysroot(self):
        """Headers in the order zig would search them; the first one wins."""
        include = self.sysroot / "include"
        for folder in ("libc/include/wasm-wasi-musl", "libc/include/generic-musl"):
            copy_new(self.zig_lib / folder, include)
        for name in ABSENT_HEADERS:
            path = include / name
            shutil.rmtree(path) if name.endswith("/") else path.unlink(missing_ok=True)
        for name, (before, after) in DECLARED.items():
            text = (include / name).read_text()
            if before not in text:
                raise BuildError(f"{name} of this version of zig does not hold {before!r}")
            (include / name).write_text(text.replace(before, after))
        cxx = include / "c++/v1"
        copy_new(self.zig_lib / "libcxx/include", cxx)
        copy_new(self.zig_lib / "libcxxabi/include", cxx)
        copy_new(self.zig_lib / "libunwind/include", include)
        copy_new(self.zig_lib / "include", self.root / "resource/include")
        self.lib.mkdir(parents=True)

    def make_drivers(self):
        self.bin.mkdir()
        for tool in ("ar", "ranlib", "wasm-ld"):
            script(self.bin / tool, f'exec "{self.zig}" {tool} "$@"\n')
        flags = ["--start-no-unused-arguments", "--no-default-config", "--target=wasm32-wasip1", f"--sysroot={self.sysroot}", f"-resource-dir={self.root}/resource",
                 f"-B{self.bin}", "--no-wasm-opt", *CPU, *self.prefix_maps()]
        cxx = ["--driver-mode=g++", *LIBCXX]
        module = ["-fPIC", *EXCEPTIONS, *SETJMP, *EMULATION]
        for name, mode in (("cc", []), ("c++", cxx), ("module-cc", module), ("module-c++", [*cxx, *module])):
            # A side module leaves the interpreter's and the C library's symbols to the host's linker, which also runs its constructors
            # of C++ globals and must be able to find the function that does.
            script(self.bin / name, f'''flags="{' '.join(map(quote, [*flags, *mode, '--end-no-unused-arguments']))}"
case " $* " in *" -shared "*)
  for a; do shift
    case "$a" in -Wl,--as-needed|-Wl,--no-undefined|-Wl,--allow-shlib-undefined|-Wl,-O1|-Wl,-z,*|-Wl,--start-group|-Wl,--end-group|-Wl,-soname,*|-lm) ;; *) set -- "$@" "$a";; esac
  done
  exec "{self.zig}" clang $flags "$@" -nostdlib -Wl,--no-entry,--experimental-pic,--unresolved-symbols=import-dynamic,--export-dynamic,--export-if-defined=__wasm_call_ctors,--strip-debug;;
esac
exec "{self.zig}" clang $flags "$@"
''')

    def make_c_library(self):
        """Makes zig build its C library and compiler-rt for our CPU, and puts them into the sysroot."""
        probe = fresh(self.root / "probe")
        (probe / "t.c").write_text("int main(void) { return 0; }\n")
        for model in ("command", "reactor"):
            text = self.ctx.run(self.zig, "cc", "-target", "wasm32-wasi", f"-mexec-model={model}", "-O3", f"-mcpu={ZIG_CPU}", "t.c", "-o", "t.wasm",
                                cwd=probe, env={"ZIG_VERBOSE_LINK": "1"}, log=f"libc-{model}.log")
            link = next((line for line in text.splitlines() if line.startswith("wasm-ld ")), None)
            if link is None:
                raise BuildError("zig cc did not say how it links; is ZIG_VERBOSE_LINK still known to this version?")
            for path in map(Path, re.findall(r"\S+\.(?:a|o)\b", link)):
                if path.name.startswith(("crt1", "libc", "libzigc")):
                    name = path.name.replace("crt1.o", "crt1-command.o")
                    (self.root / "resource/lib/wasm32-unknown-wasip1").mkdir(parents=True, exist_ok=True)
                    to = self.root / "resource/lib/wasm32-unknown-wasip1/libclang_rt.builtins.a" if "compiler_rt" in name else self.lib / name
                    shutil.copyfile(path if path.is_absolute() else probe / path, to)
        # clang links -lc and -lm by itself; zig has one half of the C library in C and the other in zig.
        merge = f"CREATE {self.lib}/libc-all.a\nADDLIB {self.lib}/libc.a\nADDLIB {self.lib}/libzigc.a\nSAVE\nEND\n"
        (probe / "merge.mri").write_text(merge)
        with open(probe / "merge.mri") as stdin:
            import subprocess
            subprocess.run([self.ar, "-M"], stdin=stdin, check=True, env=self.ctx.environment())
        os.replace(self.lib / "libc-all.a", self.lib / "libc.a")
        for empty in ("m", "dl", "pthread", "rt", "util", "wasi-emulated-signal", "wasi-emulated-getpid", "wasi-emulated-process-clocks", "wasi-emulated-mman"):
            self.ctx.run(self.ar, "rcs", self.lib / f"lib{empty}.a", log="ar.log")

    def compile(self, objects: Path, sources: list[Path], flags: list[str], *, cxx=False, cwd=None) -> list[Path]:
        """Compiles each source into `objects`; gives the object files in the order of the sources."""
        objects.mkdir(parents=True, exist_ok=True)
        common = Path(os.path.commonpath([s.parent for s in sources]))

        def one(source: Path) -> Path:
            out = objects / (str(source.relative_to(common)).replace("/", "_") + ".o")
            language_cxx = cxx or source.suffix in (".cpp", ".cc")
            self.ctx.run(self.cxx if language_cxx else self.cc, *flags, "-c", source, "-o", out, cwd=cwd or common, log=f"cc-{objects.name}-{out.name}.log")
            return out

        return self.ctx.each(one, sources)

    def archive(self, to: Path, objects: list[Path]):
        to.unlink(missing_ok=True)
        self.ctx.run(self.ar, "rcs", to, *objects, log=f"ar-{to.name}.log")


def quote(flag: str) -> str:
    if re.search(r'[\s"\'$`\\]', flag):
        raise BuildError(f"the build folder's path must not hold blanks or quotes: {flag}")
    return flag


def script(path: Path, body: str):
    path.write_text("#!/bin/sh\n" + body)
    path.chmod(0o755)


def copy_new(source: Path, target: Path):
    for path in sorted(source.rglob("*")):
        to = target / path.relative_to(source)
        if path.is_file() and not to.exists():
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to)
