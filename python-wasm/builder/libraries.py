"""The C libraries of the standard library's extension modules: zlib, bzip2, liblzma and SQLite, installed into the sysroot."""
import shutil
from pathlib import Path

from .context import HERE, Context, stamp
from .toolchain import EMULATION, OPTIMIZE, Toolchain

SQLITE = ["SQLITE_THREADSAFE=0", "SQLITE_DEFAULT_MEMSTATUS=0", "SQLITE_OMIT_LOAD_EXTENSION", "SQLITE_OMIT_SHARED_CACHE", "SQLITE_DQS=0",
          "SQLITE_ENABLE_FTS4", "SQLITE_ENABLE_FTS5", "SQLITE_ENABLE_RTREE", "SQLITE_ENABLE_GEOPOLY", "SQLITE_ENABLE_MATH_FUNCTIONS",
          "SQLITE_ENABLE_DBSTAT_VTAB", "SQLITE_ENABLE_COLUMN_METADATA", "SQLITE_ENABLE_SESSION", "SQLITE_ENABLE_PREUPDATE_HOOK",
          "SQLITE_ENABLE_DESERIALIZE", "SQLITE_TEMP_STORE=2", "HAVE_USLEEP=1", "HAVE_ISNAN=1", "SQLITE_WITHOUT_ZONEMALLOC"]


def build(ctx: Context, tools: Toolchain):
    names = ("zlib", "bzip2", "xz", "sqlite")
    done = stamp(ctx, "libraries", *(ctx.sources[n].sha256 for n in names), Path(__file__), HERE / "modules/sqlite", HERE / "builder/toolchain.py")
    if done.done():
        return
    out, include = ctx.work / "libraries", tools.sysroot / "include"
    base = [*OPTIMIZE, *EMULATION, "-fvisibility=hidden"]  # a side module may bring its own copy of any of these

    zlib = ctx.src("zlib") / "src/zlib"
    sources = [s for s in sorted(zlib.glob("*.c"))]
    tools.archive(tools.lib / "libz.a", tools.compile(out / "zlib", sources, [*base, "-DHAVE_UNISTD_H", "-DHAVE_STDARG_H"]))
    install(include, zlib / "zlib.h", zlib / "zconf.h")

    bzip2 = next(ctx.src("bzip2").glob("bzip2-*"))
    sources = [bzip2 / f"{n}.c" for n in ("blocksort", "bzlib", "compress", "crctable", "decompress", "huffman", "randtable")]
    tools.archive(tools.lib / "libbz2.a", tools.compile(out / "bzip2", sources, [*base, "-D_FILE_OFFSET_BITS=64"]))
    install(include, bzip2 / "bzlib.h")

    lzma = ctx.src("xz") / "xz/src/liblzma"
    parts = ("common", "lzma", "lz", "check", "delta", "rangecoder", "simple")
    skip = ("crc32_small", "crc64_small", "crc_clmul_consts_gen", "_tablegen", "_mt")
    sources = [s for part in parts for s in sorted((lzma / part).glob("*.c")) if not any(x in s.stem for x in skip) and not s.stem.endswith("mt")]
    sources += [lzma.parent / "common/tuklib_physmem.c", lzma.parent / "common/tuklib_cpucores.c"]
    flags = [*base, "-DHAVE_CONFIG_H", f"-I{ctx.src('xz')}", f"-I{lzma}/api", f"-I{lzma.parent}/common", *(f"-I{lzma}/{p}" for p in parts), "-w"]
    tools.archive(tools.lib / "liblzma.a", tools.compile(out / "lzma", sources, flags))
    install(include, lzma / "api/lzma.h")
    shutil.copytree(lzma / "api/lzma", include / "lzma", dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.am"))

    sqlite = ctx.src("sqlite") / "sqlite3"
    # For WASI it would choose lock folders; see sqlite_fcntl.c.
    flags = [*base, *(f"-D{d}" for d in SQLITE), '-DSQLITE_DEFAULT_UNIX_VFS="unix"', "-Dfcntl=prims_fcntl", "-w"]
    objects = tools.compile(out / "sqlite", [sqlite / "sqlite3.c"], flags)
    objects += tools.compile(out / "sqlite", [HERE / "modules/sqlite/fcntl.c"], base)
    tools.archive(tools.lib / "libsqlite3.a", objects)
    install(include, sqlite / "sqlite3.h", sqlite / "sqlite3ext.h")
    done.mark()


def install(include: Path, *headers: Path):
    for header in headers:
        shutil.copyfile(header, include / header.name)
