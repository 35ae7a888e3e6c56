//! Folder entries: `manifest` and `tree/` in a folder that gets its name by one rename.

use crate::error::{Broken, Error};
use crate::file::{MAX_METADATA, check_inode, check_owner, unreadable};
use crate::key::Id;
use crate::lock;
use crate::manifest::{Content, Manifest};
use crate::path::{self, PathProblem};
use crate::store::{Look, Origin};
use crate::sys;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

const TREE: &str = "tree";
const MANIFEST: &str = "manifest";
/// Larger manifests are not ours: a line per file is 100 bytes or so.
const MAX_MANIFEST: u64 = 512 << 20;
/// Threads that verify the files of an entry, and the files that are worth one.
const MAX_THREADS: usize = 4;
const FILES_PER_THREAD: usize = 100;

/// A verified folder entry. While it or a clone of it exists the entry counts as in use.
///
/// **What is verified when.** The first time a process opens the entry, everything: every file and folder in it is ours, is not a
/// link, cannot be written by others and is listed in the manifest, none is missing, and every file has the length and the digest
/// the manifest says. Later opens by the same process read the manifest again, compare its digest with the one that was verified,
/// and look whether the top folder is still the same and unchanged. So a file of the same user's that is altered below the top
/// folder after that is noticed by the next process, not by this one.
#[derive(Clone, Debug)]
pub struct DirEntry {
    path: PathBuf,
    metadata: Vec<u8>,
    origin: Origin,
    /// Marks the entry as in use.
    mark: Arc<File>,
}

impl DirEntry {
    /// The folder. Files in it have mode 0444, folders 0555.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the builder said about the folder.
    pub fn metadata(&self) -> &[u8] {
        &self.metadata
    }

    /// Where the entry comes from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The folder of the entry, open.
    pub(crate) fn mark(&self) -> &File {
        &self.mark
    }
}

/// Remembers a complete verification: what has to be the same for it still to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    manifest: blake3::Hash,
    inodes: [(u64, u64, i64, i64, i64, i64); 2],
}

impl Stamp {
    /// The stamp of an entry as it is now.
    fn of(path: &Path, manifest: &[u8]) -> io::Result<Stamp> {
        let inode = |path: &Path| {
            let found = std::fs::symlink_metadata(path)?;
            let (modified, changed) = ((found.mtime(), found.mtime_nsec()), (found.ctime(), found.ctime_nsec()));
            io::Result::Ok((found.dev(), found.ino(), modified.0, modified.1, changed.0, changed.1))
        };
        let inodes = [inode(&path.join(TREE))?, inode(&path.join(MANIFEST))?];
        Ok(Stamp {
            manifest: blake3::hash(manifest),
            inodes,
        })
    }
}

/// Writes a folder entry. It is the only way a file gets into one, and it takes nothing but plain files and folders with paths
/// that stay inside: whatever an archive says, see [`PathProblem`].
#[derive(Debug)]
pub struct DirWriter {
    tree: PathBuf,
    manifest: Manifest,
    /// Every path so far by its lower-case form: the path, and whether it is a folder.
    seen: HashMap<String, (String, bool)>,
    /// The first write that failed.
    failure: Option<Error>,
}

impl DirWriter {
    pub(crate) fn create(temporary: &Path) -> Result<DirWriter, Error> {
        let tree = temporary.join(TREE);
        for path in [temporary, &tree] {
            sys::create_dir(path).map_err(Error::on("create", path))?;
        }
        Ok(DirWriter {
            tree,
            manifest: Manifest::default(),
            seen: HashMap::new(),
            failure: None,
        })
    }

    /// Adds a folder, and those it is in. Adding it again does nothing.
    ///
    /// # Errors
    /// [`Error::EntryPath`] when the path may not be in an entry; else what the system says, and then nothing is published.
    pub fn folder(&mut self, path: &str) -> Result<(), Error> {
        path::check(path).map_err(|problem| refused(path, problem))?;
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for end in ends {
            let folder = &path[..end];
            if self.claim(folder, true).map_err(|problem| refused(path, problem))? {
                let target = self.tree.join(folder);
                let created = sys::create_dir(&target);
                self.note(created, "create", &target)?;
                self.manifest.folders.insert(folder.to_owned());
            }
        }
        Ok(())
    }

    /// Adds a file, and the folders it is in.
    ///
    /// # Errors
    /// As [`DirWriter::folder`].
    pub fn file(&mut self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        path::check(path).map_err(|problem| refused(path, problem))?;
        if let Some((folder, _)) = path.rsplit_once('/') {
            self.folder(folder)?;
        }
        self.claim(path, false).map_err(|problem| refused(path, problem))?;
        let target = self.tree.join(path);
        let written = sys::create(&target, 0o444).and_then(|file| sys::write_all_at(&file, bytes, 0));
        self.note(written, "write", &target)?;
        let content = Content {
            size: bytes.len() as u64,
            digest: *blake3::hash(bytes).as_bytes(),
        };
        self.manifest.files.insert(path.to_owned(), content);
        Ok(())
    }

    /// Sets what [`DirEntry::metadata`] will say.
    pub fn set_metadata(&mut self, metadata: Vec<u8>) {
        self.manifest.metadata = metadata;
    }

    /// Takes a path. False: it is a folder that was there before.
    fn claim(&mut self, path: &str, is_folder: bool) -> Result<bool, PathProblem> {
        match self.seen.get(&path.to_lowercase()) {
            None => {
                self.seen.insert(path.to_lowercase(), (path.to_owned(), is_folder));
                Ok(true)
            }
            Some((other, _)) if other != path => Err(PathProblem::CaseClash),
            Some((_, true)) if is_folder => Ok(false),
            Some((_, false)) if !is_folder => Err(PathProblem::Duplicate),
            Some(_) => Err(PathProblem::FileAndFolder),
        }
    }

    /// Reports a failed operation, and remembers that there was one.
    fn note<T>(&mut self, result: io::Result<T>, what: &'static str, path: &Path) -> Result<T, Error> {
        result.map_err(|error| {
            let copy = error
                .raw_os_error()
                .map_or_else(|| error.kind().into(), io::Error::from_raw_os_error);
            self.failure.get_or_insert(Error::on(what, path)(copy));
            Error::on(what, path)(error)
        })
    }

    /// Fails when a write has failed.
    pub(crate) fn check(&mut self) -> Result<(), Error> {
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Completes the folder and gives it its name.
    pub(crate) fn publish(
        self,
        kind: &str,
        id: &Id,
        temporary: &Path,
        path: &Path,
        origin: Origin,
        verified: &Mutex<HashMap<PathBuf, Stamp>>,
    ) -> Result<DirEntry, Error> {
        let DirWriter { tree, manifest, .. } = self;
        if manifest.metadata.len() > MAX_METADATA {
            return Err(Error::Metadata {
                len: manifest.metadata.len(),
                limit: MAX_METADATA,
            });
        }
        for folder in manifest
            .folders
            .iter()
            .map(|folder| tree.join(folder))
            .chain([tree.clone()])
        {
            sys::set_mode(&folder, 0o555).map_err(Error::on("write", &folder))?;
        }
        let text = manifest.encode(kind, id);
        let target = temporary.join(MANIFEST);
        // The files themselves are not forced to the disk one by one: an entry a power failure left incomplete does not pass
        // its first verification.
        let written = sys::create(&target, 0o444).and_then(|file| {
            sys::write_all_at(&file, text.as_bytes(), 0)?;
            sys::sync(&file)
        });
        written.map_err(Error::on("write", &target))?;
        let mark = sys::open_dir(temporary).map_err(Error::on("open", temporary))?;
        lock::mark_used(&mark).map_err(Error::on("lock", temporary))?;
        sys::rename(temporary, path).map_err(Error::on("rename", path))?;
        let stamp = Stamp::of(path, text.as_bytes()).map_err(Error::on("read", path))?;
        verified
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(path.to_owned(), stamp);
        Ok(DirEntry {
            path: path.join(TREE),
            metadata: manifest.metadata,
            origin,
            mark: Arc::new(mark),
        })
    }
}

fn refused(path: &str, problem: PathProblem) -> Error {
    Error::EntryPath {
        path: path.chars().take(200).collect(),
        problem,
    }
}

/// Opens an entry, marks it as in use and verifies it: completely, unless it is known to be verified.
pub(crate) fn look(
    path: &Path,
    kind: &str,
    id: &Id,
    verified: Option<&Mutex<HashMap<PathBuf, Stamp>>>,
) -> Result<Look<DirEntry>, Error> {
    let mark = match sys::open_dir(path) {
        Ok(mark) => mark,
        Err(error) => return unreadable(path, &error),
    };
    let marked = lock::mark_used(&mark).and_then(|marked| Ok(marked && sys::is_at(&mark, path)?));
    if !marked.map_err(Error::on("lock", path))? {
        // It is being removed, or was before it was marked.
        return Ok(Look::Missing);
    }
    let opened = || -> io::Result<Result<Vec<u8>, Broken>> {
        if let Err(broken) = check_owner(&mark.metadata()?) {
            return Ok(Err(broken));
        }
        let text = match read_manifest(path)? {
            Ok(text) => text,
            Err(broken) => return Ok(Err(broken)),
        };
        let stamp = Stamp::of(path, &text)?;
        let known = verified.map(|verified| verified.lock().unwrap_or_else(PoisonError::into_inner));
        if known.is_some_and(|known| known.get(path) == Some(&stamp)) {
            return Ok(Manifest::metadata_of(&text));
        }
        let manifest = match Manifest::decode(&text, kind, id) {
            Ok(manifest) => manifest,
            Err(broken) => return Ok(Err(broken)),
        };
        if let Err(broken) = verify_tree(&path.join(TREE), &manifest)? {
            return Ok(Err(broken));
        }
        if let Some(verified) = verified {
            verified
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(path.to_owned(), stamp);
        }
        Ok(Ok(manifest.metadata))
    };
    match opened() {
        Ok(Ok(metadata)) => Ok(Look::Entry(DirEntry {
            path: path.join(TREE),
            metadata,
            origin: Origin::Found,
            mark: Arc::new(mark),
        })),
        Ok(Err(broken)) => Ok(Look::Broken(broken)),
        // The entry is there, so a part of it is missing.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Look::Broken(Broken::Missing("a part".into()))),
        Err(error) => unreadable(path, &error),
    }
}

fn read_manifest(path: &Path) -> io::Result<Result<Vec<u8>, Broken>> {
    let mut file = match sys::open(&path.join(MANIFEST)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Err(Broken::Missing(MANIFEST.into()))),
        Err(error) => return Err(error),
    };
    let found = file.metadata()?;
    if let Err(broken) = check_inode(&found, MANIFEST) {
        return Ok(Err(broken));
    }
    if found.len() > MAX_MANIFEST {
        return Ok(Err(Broken::Length {
            found: found.len(),
            expected: MAX_MANIFEST,
        }));
    }
    let mut text = Vec::with_capacity(found.len() as usize);
    file.read_to_end(&mut text)?;
    Ok(Ok(text))
}

/// Compares a folder with its manifest.
fn verify_tree(tree: &Path, manifest: &Manifest) -> io::Result<Result<(), Broken>> {
    let (mut folders, mut files) = (vec![String::new()], vec![]);
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        // Not `tree.join("")`: a slash at the end would follow a link.
        let host = if folder.is_empty() {
            tree.to_owned()
        } else {
            tree.join(&folder)
        };
        let opened = sys::open_dir(&host)?;
        if let Err(broken) = check_owner(&opened.metadata()?) {
            return Ok(Err(broken));
        }
        for entry in std::fs::read_dir(&host)? {
            let name = entry?.file_name();
            let Some(name) = name.to_str() else {
                return Ok(Err(Broken::Extra(name.to_string_lossy().into_owned())));
            };
            let path = if folder.is_empty() {
                name.to_owned()
            } else {
                format!("{folder}/{name}")
            };
            if manifest.folders.contains(&path) {
                folders.push(path);
            } else if let Some((path, content)) = manifest.files.get_key_value(&path) {
                files.push((path.as_str(), content));
            } else {
                return Ok(Err(Broken::Extra(path)));
            }
            seen += 1;
        }
    }
    if seen < manifest.files.len() + manifest.folders.len() {
        let mut missing = manifest.files.keys().chain(&manifest.folders);
        let missing = missing.find(|path| std::fs::symlink_metadata(tree.join(path)).is_err());
        return Ok(Err(Broken::Missing(missing.cloned().unwrap_or_default())));
    }
    verify_files(tree, &files)
}

/// Compares files with what the manifest says, several at a time: this is most of what opening a folder costs.
fn verify_files(tree: &Path, files: &[(&str, &Content)]) -> io::Result<Result<(), Broken>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut buffer = vec![];
        while let Some((path, content)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(broken) = verify_file(&tree.join(path), path, content, &mut buffer)? {
                return Ok(Err(broken));
            }
        }
        Ok(Ok(()))
    };
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let helpers = processors.min(MAX_THREADS).min(files.len() / FILES_PER_THREAD + 1) - 1;
    std::thread::scope(|scope| {
        // Where no thread can be had, there is less help.
        let spawn = |_| std::thread::Builder::new().spawn_scoped(scope, work).ok();
        let helpers: Vec<_> = (0..helpers).filter_map(spawn).collect();
        let mut outcome = work();
        for helper in helpers {
            let other = helper
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("a thread that verified files died")));
            if matches!(outcome, Ok(Ok(()))) {
                outcome = other;
            }
        }
        outcome
    })
}

fn verify_file(path: &Path, name: &str, content: &Content, bytes: &mut Vec<u8>) -> io::Result<Result<(), Broken>> {
    let file = match sys::open(path) {
        Ok(file) => file,
        Err(_) if std::fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) => {
            return Ok(Err(Broken::FileType(name.to_owned())));
        }
        Err(error) => return Err(error),
    };
    let found = file.metadata()?;
    if let Err(broken) = check_inode(&found, name) {
        return Ok(Err(broken));
    }
    if found.len() != content.size {
        return Ok(Err(Broken::Content(name.to_owned())));
    }
    // The length is known to fit, so this is one read, and memory for no more than the largest file.
    bytes.resize(usize::try_from(content.size).map_err(io::Error::other)?, 0);
    file.read_exact_at(bytes, 0)?;
    let same = blake3::hash(bytes).as_bytes() == &content.digest;
    Ok(if same {
        Ok(())
    } else {
        Err(Broken::Content(name.to_owned()))
    })
}
