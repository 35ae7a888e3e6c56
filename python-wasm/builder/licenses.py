"""The licence texts of everything that is shipped, one file for each component, and NOTICES.md that lists them."""
import re
from pathlib import Path

from .context import Context, fresh


def component_texts(ctx: Context):
    """(file name, component, version, SPDX expression, where it comes from in the guest, text)"""
    src = ctx.src
    cpython, zig = src("cpython"), src("ziglang") / "ziglang"
    numpy, modules = src("numpy"), src("cpython") / "Modules"
    versions = {n: s.version for n, s in ctx.sources.items()}
    zlib, bzip2 = src("zlib") / "src/zlib", next(src("bzip2").glob("bzip2-*"))
    xz, sqlite = src("xz") / "xz", src("sqlite") / "sqlite3"
    xz_version = ".".join(re.findall(r"#define LZMA_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", read(xz / "src/liblzma/api/lzma/version.h")))
    expat_version = ".".join(re.findall(r"#\s*define XML_(?:MAJOR|MINOR|MICRO)_VERSION (\d+)", read(modules / "expat/expat.h")))

    yield "cpython", "CPython", versions["cpython"], "PSF-2.0", "the interpreter and its standard library", read(cpython / "LICENSE")
    yield "cpython-incorporated", "Software incorporated in CPython", versions["cpython"], "various, see the text", "parts of the interpreter and the standard library", read(cpython / "Doc/license.rst")
    yield "expat", "Expat", expat_version, "MIT", "pyexpat", read(modules / "expat/COPYING")
    yield "libmpdec", "libmpdec", find(modules / "_decimal/libmpdec/mpdecimal.h", r'MPD_VERSION "([^"]+)"'), "BSD-2-Clause", "_decimal", comment(modules / "_decimal/libmpdec/mpdecimal.h")
    yield "hacl-star", "HACL*", "as vendored by CPython", "MIT", "_md5, _sha1, _sha2, _sha3", comment(modules / "_hacl/Hacl_Hash_SHA2.h")
    yield "blake2", "BLAKE2", "as vendored by CPython", "CC0-1.0 OR OpenSSL OR Apache-2.0", "_blake2", comment(modules / "_blake2/impl/blake2b-ref.c")
    yield "zlib", "zlib", find(zlib / "zlib.h", r'ZLIB_VERSION "([^"]+)"'), "Zlib", "zlib", read(zlib / "LICENSE")
    yield "bzip2", "bzip2", bzip2.name.removeprefix("bzip2-"), "bzip2-1.0.6", "_bz2", read(bzip2 / "LICENSE")
    yield "xz", "liblzma", xz_version, "0BSD", "_lzma", read(xz / "COPYING.0BSD")
    yield "sqlite", "SQLite", find(sqlite / "sqlite3.h", r'SQLITE_VERSION +"([^"]+)"'), "blessing", "_sqlite3", blessing(sqlite / "sqlite3.h")
    yield "dlmalloc", "dlmalloc", "2.8.6", "CC0-1.0", "malloc", comment(src("dlmalloc") / "libffi/src/dlmalloc.c", lines=12)
    yield "tzdata", "tzdata", versions["tzdata"], "Apache-2.0", "the time zone database", read(next(src("tzdata").glob("*.dist-info")) / "licenses/LICENSE")
    yield "zig", "Zig: compiler-rt and parts of the C library", versions["ziglang"], "MIT", "the C runtime", read(zig.parent / "ziglang/LICENSE")
    yield "wasi-libc", "wasi-libc", f"as in Zig {versions['ziglang']}", "MIT AND Apache-2.0 WITH LLVM-exception", "the C library", read(zig / "lib/libc/wasi/LICENSE") + "\n" + read(zig / "lib/libc/wasi/LICENSE-MIT") + "\n" + read(zig / "lib/libc/wasi/LICENSE-APACHE-LLVM")
    yield "musl", "musl", f"as in Zig {versions['ziglang']}", "MIT", "the C library", read(zig / "lib/libc/musl/COPYRIGHT")
    for name in ("libcxx", "libcxxabi", "libunwind"):
        yield name, {"libcxx": "libc++", "libcxxabi": "libc++abi"}.get(name, name), f"as in Zig {versions['ziglang']}", "Apache-2.0 WITH LLVM-exception", "the C++ runtime", read(zig / f"lib/{name}/LICENSE.TXT")
    yield "numpy", "NumPy", versions["numpy"], "BSD-3-Clause", "the numpy wheel", read(numpy / "LICENSE.txt")
    for name, component, spdx in (("markupsafe", "MarkupSafe", "BSD-3-Clause"), ("pyyaml", "PyYAML", "MIT")):
        yield name, component, versions[name], spdx, f"the {name} wheel", read(next(src(name).glob("*.dist-info/licenses/LICENSE*")))
    for path in re.findall(r"^License-File: (.+)$", read(numpy / "PKG-INFO"), re.M):
        if path != "LICENSE.txt":
            yield "numpy-" + re.sub(r"[^a-z0-9]+", "-", path.lower().replace("numpy/", "").rpartition("/")[0]).strip("-"), f"NumPy: {path.removeprefix('numpy/')}", versions["numpy"], "see the text", "the numpy wheel", read(numpy / path)


def build(ctx: Context):
    folder = fresh(ctx.dist.parent / "licenses")
    lines = ["# Third-party software in the guest", "", "Written by `python-wasm/build`; the texts are the files beside this one.", "",
             "| component | version | licence | used for | text |", "|---|---|---|---|---|"]
    for name, component, version, spdx, use, text in component_texts(ctx):
        (folder / f"{name}.txt").write_text("\n".join(line.rstrip() for line in text.splitlines()).strip() + "\n")
        lines.append(f"| {component} | {version} | {spdx} | {use} | [{name}.txt]({name}.txt) |")
    (folder / "NOTICES.md").write_text("\n".join(lines) + "\n")


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def find(path: Path, pattern: str) -> str:
    return re.search(pattern, read(path)).group(1)


def comment(path: Path, lines: int | None = None) -> str:
    """The first comment of a C file."""
    text = re.search(r"/\*(.*?)\*/", read(path), re.S).group(1)
    return "\n".join(re.sub(r"^ ?\*{0,2} ?", "", line) for line in text.splitlines()[:lines])


def blessing(path: Path) -> str:
    return "SQLite is in the public domain.\n\n" + comment(path, lines=12)
