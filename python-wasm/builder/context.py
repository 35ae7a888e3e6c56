"""What every step needs: the folders, the pins, and a way to run programs."""
import hashlib
import os
import shutil
import subprocess
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent  # python-wasm/

# 2026-01-01. Every timestamp in the output is this one.
EPOCH = 1767225600


class BuildError(Exception):
    """Something the person who runs the build must know; printed without a traceback."""


@dataclass(frozen=True)
class Source:
    name: str
    version: str
    sha256: str
    origin: str  # the `from` key: "pip", "debian:NAME", "crate:NAME"
    license: str
    artifact: str = "wheel"
    ships: bool = True


def load_sources() -> dict[str, Source]:
    table = tomllib.loads((HERE / "sources.toml").read_text())["sources"]
    return {name: Source(name=name, origin=pin.pop("from"), **pin) for name, pin in table.items()}


@dataclass
class Context:
    work: Path
    dist: Path
    jobs: int
    archives: Path | None = None  # a folder with source archives somebody put there
    lto: bool = True  # whole-program optimisation of the interpreter
    profile: str = "use"  # "use" the committed profile, "generate" counters for a new one, or "off"
    sources: dict[str, Source] = field(default_factory=load_sources)

    def __post_init__(self):
        self.work = self.work.resolve()
        self.work.mkdir(parents=True, exist_ok=True)

    @property
    def python(self) -> str:
        """The feature version, e.g. 3.13."""
        return ".".join(self.sources["cpython"].version.split(".")[:2])

    @property
    def tag(self) -> str:
        """The compatibility tag of wheels for this guest."""
        cp = "cp" + self.python.replace(".", "")
        return f"{cp}-{cp}-wasi_0_1_wasm32"

    @property
    def so_suffix(self) -> str:
        return f".cpython-{self.python.replace('.', '')}-wasm32-wasi.so"

    @property
    def variant(self) -> str:
        """A suffix for the folders of interpreters that are not the one we ship."""
        return {"use": "", "generate": "-training", "off": "-plain"}[self.profile] + ("" if self.lto else "-nolto")

    def interpreter_flags(self) -> list[str]:
        """Extra compiler flags of everything that goes into the interpreter itself."""
        flags = ["-flto=full"] if self.lto else []
        if self.profile == "generate":
            flags += ["-fprofile-generate", "-mllvm", "-disable-vp=true", "-mllvm", "-enable-name-compression=false"]
        elif self.profile == "use":
            flags += [f"-fprofile-use={self.work}/interpreter.profdata", "-Wno-profile-instr-out-of-date", "-Wno-profile-instr-unprofiled", "-Wno-backend-plugin"]
        return flags

    def src(self, name: str) -> Path:
        return self.work / "src" / name

    def environment(self, extra: dict[str, str] | None = None) -> dict[str, str]:
        """Nothing of the caller's settings but the path and the home folder reaches a program of the build."""
        keep = {k: os.environ[k] for k in ("PATH", "HOME", "TMPDIR", "LOGNAME") if k in os.environ}
        keep |= {
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "SOURCE_DATE_EPOCH": str(EPOCH),
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "ZIG_GLOBAL_CACHE_DIR": str(self.work / "zig-cache"),
            "ZIG_LOCAL_CACHE_DIR": str(self.work / "zig-cache"),
            "PKG_CONFIG_PATH": "",
            "PKG_CONFIG_LIBDIR": "/nonexistent",
        }
        return keep | (extra or {})

    def run(self, *args, log: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
        """Runs a program with its output in work/log/LOG; returns the output."""
        path = self.work / "log" / log
        path.parent.mkdir(exist_ok=True)
        with open(path, "wb") as out:
            result = subprocess.run([str(a) for a in args], cwd=cwd, env=self.environment(env), stdout=out,
                                    stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        text = path.read_text(errors="replace")
        if result.returncode:
            tail = "\n".join(text.splitlines()[-25:])
            raise BuildError(f"{Path(str(args[0])).name} failed with status {result.returncode}; the end of {path}:\n{tail}")
        return text

    def each(self, function, items) -> list:
        """function(item) for all items, `jobs` at a time."""
        with ThreadPoolExecutor(self.jobs) as pool:
            return list(pool.map(function, items))


def sha256(path: Path) -> str:
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def fresh(path: Path) -> Path:
    """An empty folder at `path`."""
    if path.exists():
        shutil.rmtree(path)
    path.mkdir(parents=True)
    return path


def stamp(ctx: Context, name: str, *inputs) -> "Stamp":
    return Stamp(ctx.work / "stamps" / name, inputs)


class Stamp:
    """Whether a step was already done with these inputs (strings, or paths whose contents count)."""

    def __init__(self, path: Path, inputs):
        digest = hashlib.sha256()
        for item in inputs:
            files = [item] if not isinstance(item, Path) else sorted(p for p in item.rglob("*") if p.is_file()) if item.is_dir() else [item]
            for f in files:
                digest.update((sha256(f) if isinstance(f, Path) and f.exists() else str(f)).encode() + b"\0")
        self.path, self.value = path, digest.hexdigest()

    def done(self) -> bool:
        return self.path.exists() and self.path.read_text() == self.value

    def mark(self):
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text(self.value)
