//! The guest's files, embedded in the program: the interpreter, its standard library, and the packages that come with it.
//!
//! They were verified when the program was built; unpacking verifies what comes out, so that nothing depends on a decoder being right.

use crate::hex::hex;
use prims_cache::{Cache, DirWriter, Key};
use prims_packages::BundledWheel;
use ruzstd::decoding::FrameDecoder;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

include!(concat!(env!("OUT_DIR"), "/guest_files.rs"));

/// Changes with what is made from the same files.
const LAYOUT: u32 = 1;
/// The folders of `/` that other folders are mounted on or that programs expect.
const SKELETON: [&str; 4] = ["usr/local/lib", "workspace", "tmp", "mounts"];

/// An empty file there, because programs open it by name; what is written to it is dropped by the sandbox.
const NULL: &str = "dev/null";

/// One of the guest's files.
#[derive(Clone, Copy)]
pub struct GuestFile {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: GuestKind,
    /// Its bytes, compressed.
    pub bytes: &'static [u8],
    /// SHA-256 of the bytes, in hexadecimal.
    pub sha256: &'static str,
    /// SHA-256 of what they unpack to (of a wheel: of its members in a form that only `python-wasm/build` needs).
    pub unpacked_sha256: &'static str,
    /// Length of what they unpack to.
    pub unpacked_size: u64,
}

/// What one of the guest's files is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestKind {
    /// The interpreter.
    Module,
    /// The standard library.
    Stdlib,
    /// A package.
    Wheel,
}

/// Why the guest cannot be made ready.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An embedded file does not unpack to what it was packed from.
    #[error("embedded file `{name}` does not unpack: {reason}")]
    Unpack {
        /// The file.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The folder that is to be laid over the standard library does not read.
    #[error("the overlay does not read: {0}")]
    Overlay(String),
    /// The cache failed.
    #[error(transparent)]
    Cache(#[from] prims_cache::Error),
}

impl Error {
    /// What to do about it, where there is something to do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Error::Unpack { .. } => Some("the program is damaged; install it again"),
            Error::Overlay(_) => None,
            Error::Cache(error) => error.hint(),
        }
    }
}

/// All embedded files.
pub fn files() -> &'static [GuestFile] {
    FILES
}

/// The interpreter's version, for example `3.13.15`.
pub fn python() -> &'static str {
    PYTHON
}

/// The compatibility tag of wheels with native code for this guest.
pub fn tag() -> &'static str {
    TAG
}

/// Digest of the interpreter's WebAssembly.
pub fn module_digest() -> &'static str {
    the(GuestKind::Module).map_or("", |file| file.unpacked_sha256)
}

/// The interpreter's WebAssembly.
///
/// # Errors
/// [`Error::Unpack`].
pub fn module() -> Result<Vec<u8>, Error> {
    unpack(the(GuestKind::Module)?)
}

/// Digest of the standard library.
pub fn stdlib_digest() -> &'static str {
    the(GuestKind::Stdlib).map_or("", |file| file.unpacked_sha256)
}

/// The folder with the standard library, unpacked once per cache. It stays while the cache is open.
///
/// # Errors
/// [`Error::Unpack`], [`Error::Cache`].
pub fn stdlib(cache: &Cache) -> Result<PathBuf, Error> {
    let file = the(GuestKind::Stdlib)?;
    let key = Key::new("stdlib")
        .with("layout", &LAYOUT.to_le_bytes())
        .with("digest", file.unpacked_sha256.as_bytes());
    let entry = cache.dir("stdlib", &key, |writer| unpack_tree(file, writer, |_| true))?;
    Ok(cache.keep(entry))
}

/// Files by path.
type Files = Vec<(String, Vec<u8>)>;

/// The Python files below a folder, and a digest of them all.
pub(crate) fn read_overlay(folder: &Path) -> Result<(String, Files), Error> {
    let failed = |error: std::io::Error| Error::Overlay(error.to_string());
    let (mut files, mut folders) = (vec![], vec![String::new()]);
    while let Some(below) = folders.pop() {
        for entry in std::fs::read_dir(folder.join(&below)).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let path = format!("{below}{name}");
            if entry.file_type().map_err(failed)?.is_dir() {
                folders.push(format!("{path}/"));
            } else if name.ends_with(".py") {
                files.push((path, std::fs::read(entry.path()).map_err(failed)?));
            }
        }
    }
    files.sort();
    let mut digest = Sha256::new();
    for (path, bytes) in &files {
        digest.update(format!("{path}\0{}\0", bytes.len()));
        digest.update(bytes);
    }
    Ok((hex(&digest.finalize()), files))
}

/// The standard library with `files` in place of every entry of its top level that they have, too.
pub(crate) fn overlaid_stdlib(cache: &Cache, digest: &str, files: &[(String, Vec<u8>)]) -> Result<PathBuf, Error> {
    let file = the(GuestKind::Stdlib)?;
    let key = Key::new("overlaid stdlib")
        .with("layout", &LAYOUT.to_le_bytes())
        .with("digest", file.unpacked_sha256.as_bytes())
        .with("overlay", digest.as_bytes());
    let top = |path: &str| path.split('/').next().unwrap_or(path).to_owned();
    let replaced: HashSet<String> = files.iter().map(|(path, _)| top(path)).collect();
    let entry = cache.dir("stdlib", &key, |writer| {
        unpack_tree(file, writer, |path| !replaced.contains(&top(path)))?;
        for (path, bytes) in files {
            if let Some((folder, _)) = path.rsplit_once('/') {
                writer.folder(folder)?;
            }
            writer.file(path, bytes)?;
        }
        Ok::<(), Error>(())
    })?;
    Ok(cache.keep(entry))
}

/// The folder that the guest sees as `/`: empty folders. It stays while the cache is open.
///
/// # Errors
/// [`Error::Cache`].
pub fn skeleton(cache: &Cache) -> Result<PathBuf, Error> {
    let key = SKELETON.iter().fold(Key::new("skeleton"), |key, folder| {
        key.with("folder", folder.as_bytes())
    });
    let key = key.with("file", NULL.as_bytes());
    let entry = cache.dir("skeleton", &key, |writer| {
        SKELETON.iter().try_for_each(|folder| writer.folder(folder))?;
        writer.file(NULL, b"")
    })?;
    Ok(cache.keep(entry))
}

/// The packages that come with the program.
pub fn wheels() -> Vec<BundledWheel> {
    let wheels = FILES.iter().filter(|file| file.kind == GuestKind::Wheel);
    let bundled = |file: &GuestFile| BundledWheel {
        filename: Cow::Borrowed(file.name),
        bytes: Cow::Borrowed(file.bytes),
        sha256: Some(Cow::Borrowed(file.sha256)),
    };
    wheels.map(bundled).collect()
}

fn the(kind: GuestKind) -> Result<&'static GuestFile, Error> {
    // The build script makes sure that there is one.
    FILES.iter().find(|file| file.kind == kind).ok_or(Error::Unpack {
        name: "guest",
        reason: "it is not there".into(),
    })
}

/// Unpacks a file to exactly what it was packed from.
fn unpack(file: &GuestFile) -> Result<Vec<u8>, Error> {
    let bad = |reason: String| Error::Unpack {
        name: file.name,
        reason,
    };
    let size = usize::try_from(file.unpacked_size).map_err(|error| bad(error.to_string()))?;
    let mut bytes = vec![0; size];
    // The decoder writes no further than the buffer.
    let written = FrameDecoder::new()
        .decode_all(file.bytes, &mut bytes)
        .map_err(|error| bad(error.to_string()))?;
    if written != size {
        return Err(bad(format!("it has {written} bytes, expected {size}")));
    }
    let found = hex(&Sha256::digest(&bytes));
    if found != file.unpacked_sha256 {
        return Err(bad(format!("it has sha256 {found}, expected {}", file.unpacked_sha256)));
    }
    Ok(bytes)
}

/// Unpacks a packed tar archive. The writer decides which paths are taken; here, that there is nothing but files and folders.
fn unpack_tree(file: &GuestFile, writer: &mut DirWriter, wanted: impl Fn(&str) -> bool) -> Result<(), Error> {
    let bytes = unpack(file)?;
    let bad = |reason: String| Error::Unpack {
        name: file.name,
        reason,
    };
    let mut archive = tar::Archive::new(&bytes[..]);
    for entry in archive.entries().map_err(|error| bad(error.to_string()))? {
        let mut entry = entry.map_err(|error| bad(error.to_string()))?;
        let path = entry.path_bytes().into_owned();
        let path = String::from_utf8(path).map_err(|_| bad("a path in it is not UTF-8".into()))?;
        if !wanted(path.trim_start_matches("./")) {
            continue;
        }
        match entry.header().entry_type() {
            tar::EntryType::Directory => match path.trim_end_matches('/') {
                "." => {}
                folder => writer.folder(folder)?,
            },
            tar::EntryType::Regular => {
                // Lengths in the headers cannot lie beyond the archive, which is in memory already.
                let mut content = Vec::new();
                std::io::Read::read_to_end(&mut entry, &mut content).map_err(|error| bad(error.to_string()))?;
                if content.len() as u64 != entry.size() {
                    return Err(bad(format!("`{path}` in it is cut off")));
                }
                writer.file(&path, &content)?;
            }
            _ => return Err(bad(format!("`{path}` in it is not a plain file or folder"))),
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "embed.rs"]
mod embed;

#[cfg(test)]
#[path = "guest_tests.rs"]
mod tests;
