"""Gets the pinned archives with the ordinary clients of the package registries, checks them, unpacks and patches them."""
import os
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

from .context import HERE, BuildError, Context, Source, fresh, sha256, stamp

# numpy's build backend is not needed to download its source distribution, but pip asks it for metadata.
BACKEND_SHIM = '''
import os
def get_requires_for_build_wheel(config=None): return []
def prepare_metadata_for_build_wheel(folder, config=None):
    name = "{name}-{version}.dist-info"
    os.makedirs(os.path.join(folder, name))
    with open(os.path.join(folder, name, "METADATA"), "w") as f:
        f.write("Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
    return name
'''

# The build runs on x86-64 Linux: that is what the pinned wheels of its tools are for.
PLATFORMS = ["manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux_2_12_x86_64", "manylinux2010_x86_64"]
SUITES = ["sid", "trixie", "trixie-updates", "bookworm"]


def fetch(ctx: Context):
    """All archives into work/archives, all sources unpacked and patched into work/src."""
    for source in ctx.sources.values():
        archive = ctx.work / "archives" / f"{source.name}-{source.version}-{source.sha256[:12]}"
        if not (archive.exists() and sha256(archive) == source.sha256):
            archive.parent.mkdir(exist_ok=True)
            found = find_local(ctx, source) or download(ctx, source)
            if sha256(found) != source.sha256:
                raise BuildError(f"{source.name} {source.version}: {found.name} has sha256 {sha256(found)}, expected {source.sha256}")
            shutil.copyfile(found, archive)
        unpack(ctx, source, archive)


def find_local(ctx: Context, source: Source) -> Path | None:
    if ctx.archives is None:
        return None
    return next((p for p in sorted(ctx.archives.rglob("*")) if p.is_file() and sha256(p) == source.sha256), None)


def download(ctx: Context, source: Source) -> Path:
    print(f"  fetching {source.name} {source.version}", flush=True)
    folder = fresh(ctx.work / "download" / source.name)
    kind, _, package = source.origin.partition(":")
    {"pip": with_pip, "crate": with_cargo, "debian": with_apt}[kind](ctx, source, package, folder)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and sha256(path) == source.sha256:
            return path
    raise BuildError(f"{source.name} {source.version}: {source.origin} gave no file with sha256 {source.sha256}; put the archive into a folder and name it with --sources")


def client(ctx: Context, *args, cwd=None, extra=None):
    """Registry clients keep the caller's environment: it may hold proxies, mirrors and certificates."""
    result = subprocess.run([str(a) for a in args], cwd=cwd, env=os.environ | (extra or {}), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode:
        raise BuildError(f"{' '.join(map(str, args[:4]))} … failed:\n" + "\n".join(result.stdout.splitlines()[-15:]))
    return result.stdout


def with_pip(ctx: Context, source: Source, _: str, folder: Path):
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{source.name}=={source.version} --hash=sha256:{source.sha256}\n")
    command = ["python3", "-m", "pip", "download", "-q", "--no-deps", "--require-hashes", "-r", requirements, "-d", folder]
    if source.artifact == "sdist":
        shim = folder / "shim"
        shim.mkdir()
        (shim / "mesonpy.py").write_text(BACKEND_SHIM.format(name=source.name, version=source.version))
        client(ctx, *command, "--no-binary", ":all:", "--no-build-isolation", extra={"PYTHONPATH": str(shim)})
    else:
        platforms = [f"--platform={p}" for p in PLATFORMS]
        client(ctx, *command, "--only-binary", ":all:", "--implementation", "cp", "--python-version", ctx.python, *platforms)


def with_cargo(ctx: Context, source: Source, package: str, folder: Path):
    (folder / "src").mkdir()
    (folder / "src/lib.rs").write_text("")
    (folder / "Cargo.toml").write_text(
        f'[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n[dependencies]\n{package} = "={source.version}"\n')
    client(ctx, "cargo", "fetch", "-q", cwd=folder)
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    for crate in home.glob(f"registry/cache/*/{package}-{source.version}.crate"):
        shutil.copy(crate, folder)


def with_apt(ctx: Context, source: Source, package: str, folder: Path):
    """A private apt root with deb-src lines for the mirrors this machine is configured with; the digest is what we trust."""
    targets = client(ctx, "apt-get", "indextargets", "--format", "$(LABEL)|$(SITE)|$(REPO_URI)")
    mirrors = sorted({line.split("|")[2].rstrip("/") for line in targets.splitlines() if line.startswith("Debian|") and "security" not in line}
                     or {line.split("|")[2].rstrip("/") for line in targets.splitlines() if "|" in line and "security" not in line})
    if not mirrors:
        raise BuildError("no Debian mirror is configured on this machine")
    for folder_name in ("lists/partial", "cache/archives/partial"):
        (folder / folder_name).mkdir(parents=True)
    sources = folder / "sources.list"
    options = ["-o", f"Dir::Etc::sourcelist={sources}", "-o", "Dir::Etc::sourceparts=-", "-o", f"Dir::State::lists={folder}/lists",
               "-o", f"Dir::Cache={folder}/cache", "-o", "APT::Sandbox::User=root"]
    for suite in SUITES:
        sources.write_text("".join(f"deb-src [trusted=yes] {mirror} {suite} main\n" for mirror in mirrors))
        client(ctx, "apt-get", *options, "update")
        records = client(ctx, "apt-cache", *options, "showsrc", package).split("\n\n")
        for record in records:
            if source.sha256 in record:
                version = next(line.split()[1] for line in record.splitlines() if line.startswith("Version:"))
                client(ctx, "apt-get", *options, "source", "--download-only", f"{package}={version}", cwd=folder)
                return


def unpack(ctx: Context, source: Source, archive: Path):
    target = ctx.src(source.name)
    patches = HERE / "patches" / source.name
    done = stamp(ctx, f"unpack-{source.name}", source.sha256, patches)
    if done.done() and target.exists():
        return
    fresh(target)
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as z:
            z.extractall(target)
            for info in z.infolist():
                if info.external_attr >> 16 & 0o111:
                    (target / info.filename).chmod(0o755)
    else:
        with tarfile.open(archive) as t:
            for member in t:
                member.name = member.name.partition("/")[2]
                if member.name:
                    t.extract(member, target, filter="data")
    for patch in sorted(patches.glob("*.patch")):
        ctx.run("patch", "-p1", "--batch", "-d", target, "-i", patch, log=f"patch-{source.name}-{patch.stem}.log")
    done.mark()
