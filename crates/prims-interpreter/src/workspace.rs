//! Files of a workspace, for the host: what a client may see and change without running code.
//!
//! Every path a client names goes through [`WorkspacePath`], and every file is opened below one directory handle by a library
//! that lets no path lead out of it, links the guest made included.

use crate::mime;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, Metadata, OpenOptions};
use prims_sandbox::FolderQuota;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Longest path, longest name in it, and deepest nesting; what the guest can make, too.
const MAX_PATH: usize = 4096;
const MAX_NAME: usize = 255;
const MAX_DEPTH: usize = 64;

/// Names looked at by one listing, so that no folder can make a listing long.
const MAX_LOOKED_AT: usize = 100_000;

/// Where programs put what is meant for the caller.
pub const OUTPUT: &str = "output";

/// What the guest calls the workspace.
const GUEST_PATH: &str = "/workspace";

/// Why something cannot be done with a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The path's text is refused.
    #[error("path `{path}` {problem}, expected one below the workspace such as `output/plot.png`")]
    Path {
        /// The path, shortened.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Nothing is there, or the path leads out of the workspace.
    #[error("`{0}` is not in the workspace")]
    Missing(String),
    /// It is something else than the operation is for.
    #[error("`{path}` is a {found}, expected a {expected}")]
    Kind {
        /// The path.
        path: String,
        /// What is there.
        found: &'static str,
        /// What should be there.
        expected: &'static str,
    },
    /// There is not enough room left.
    #[error("the workspace has no room for `{0}`")]
    Full(String),
    /// A folder that is to be removed is not empty.
    #[error("folder `{0}` is not empty")]
    NotEmpty(String),
    /// The system says no.
    #[error("cannot {what} `{path}`")]
    Io {
        /// What was being done.
        what: &'static str,
        /// The path.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl FileError {
    /// What to do about it, where there is something to do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            FileError::Full(_) => Some("delete files, or write less"),
            FileError::Missing(_) => Some("list the folder to see what is there"),
            FileError::NotEmpty(_) => Some("ask for it to be removed with everything in it"),
            _ => None,
        }
    }

    fn path(path: &str, problem: &'static str) -> FileError {
        FileError::Path {
            path: path.chars().take(200).collect(),
            problem,
        }
    }

    fn io(what: &'static str, path: &WorkspacePath) -> impl FnOnce(std::io::Error) -> FileError {
        let path = path.to_string();
        move |source| match source.kind() {
            // A part of the path that is a file is as good as none.
            ErrorKind::NotFound | ErrorKind::NotADirectory => FileError::Missing(path),
            // What the library answers for a path that leads out of the folder, through a link.
            ErrorKind::PermissionDenied if source.raw_os_error().is_none() => FileError::Missing(path),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FileError::Full(path),
            ErrorKind::DirectoryNotEmpty => FileError::NotEmpty(path),
            _ => FileError::Io { what, path, source },
        }
    }
}

/// A path below a workspace: relative, without `.` and `..`, short enough. There is no other way to name a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorkspacePath(String);

impl WorkspacePath {
    /// The workspace itself.
    pub fn root() -> WorkspacePath {
        WorkspacePath(String::new())
    }

    /// Reads what a client wrote: `a/b`, `./a/b`, and what the guest would call it, `/workspace/a/b`.
    ///
    /// # Errors
    /// [`FileError::Path`].
    pub fn parse(text: &str) -> Result<WorkspacePath, FileError> {
        let refused = |problem| Err(FileError::path(text, problem));
        if text.len() > MAX_PATH {
            return refused("is too long");
        }
        if text.chars().any(char::is_control) {
            return refused("contains a control character");
        }
        let relative = match text.strip_prefix(GUEST_PATH) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => rest.trim_start_matches('/'),
            _ if text.starts_with('/') => return refused("is absolute"),
            _ => text,
        };
        let mut parts = vec![];
        for part in relative.split('/') {
            match part {
                "" | "." => {}
                ".." => return refused("contains `..`"),
                part if part.len() > MAX_NAME => return refused("has a name that is too long"),
                part => parts.push(part),
            }
        }
        if parts.len() > MAX_DEPTH {
            return refused("is nested too deeply");
        }
        Ok(WorkspacePath(parts.join("/")))
    }

    /// Relative to the workspace; empty for the workspace itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last name, empty for the workspace itself.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or("")
    }

    fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    fn parent(&self) -> WorkspacePath {
        WorkspacePath(self.0.rsplit_once('/').map_or("", |(parent, _)| parent).to_owned())
    }

    fn below(&self, name: &str) -> WorkspacePath {
        match self.is_root() {
            true => WorkspacePath(name.to_owned()),
            false => WorkspacePath(format!("{}/{name}", self.0)),
        }
    }

    /// As the library takes it.
    fn host(&self) -> &str {
        if self.is_root() { "." } else { &self.0 }
    }
}

impl std::fmt::Display for WorkspacePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.host())
    }
}

/// What something in a workspace is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link a program made; it is followed only inside the workspace.
    Link,
}

impl EntryKind {
    fn of(metadata: &Metadata) -> EntryKind {
        if metadata.is_dir() {
            EntryKind::Folder
        } else if metadata.is_symlink() {
            EntryKind::Link
        } else {
            EntryKind::File
        }
    }

    /// `file`, `folder` or `link`.
    pub fn as_str(self) -> &'static str {
        match self {
            EntryKind::File => "file",
            EntryKind::Folder => "folder",
            EntryKind::Link => "link",
        }
    }
}

/// Something in a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub path: WorkspacePath,
    /// What it is.
    pub kind: EntryKind,
    /// Bytes of a file, else 0.
    pub size: u64,
    /// When it was changed last, if that is known.
    pub modified: Option<SystemTime>,
    /// What its name says about a file's content.
    pub mime: Option<&'static str>,
}

/// A part of what a folder holds.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// In the order of their paths.
    pub entries: Vec<Entry>,
    /// Whether there is more.
    pub truncated: bool,
}

/// What a listing is to show.
#[derive(Clone, Debug)]
pub struct ListOptions {
    /// What is in folders below, too.
    pub recursive: bool,
    /// Only files.
    pub files_only: bool,
    /// At most so many entries.
    pub limit: usize,
    /// Only what comes after this path: the last one of the listing before.
    pub after: Option<WorkspacePath>,
}

impl Default for ListOptions {
    fn default() -> ListOptions {
        ListOptions {
            recursive: false,
            files_only: false,
            limit: 1000,
            after: None,
        }
    }
}

/// A part of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The bytes from the offset on.
    pub bytes: Vec<u8>,
    /// Size of the whole file.
    pub size: u64,
}

/// The files of a session, or of a run that was given a folder. Cheap to open.
#[derive(Debug)]
pub struct Workspace {
    dir: Dir,
    /// The same folder, as the quota wants it.
    root: std::fs::File,
    folder: PathBuf,
    /// Where a file is written before it gets its name: beside the workspace, on the same file system.
    spool: Dir,
    quota: FolderQuota,
}

impl Workspace {
    /// Opens the workspace `folder`, which programs write to under the same `quota`. `spool` is a folder on the same file system
    /// that no program sees.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(folder: &Path, spool: &Path, quota: FolderQuota) -> std::io::Result<Workspace> {
        Ok(Workspace {
            dir: Dir::open_ambient_dir(folder, ambient_authority())?,
            root: std::fs::File::open(folder)?,
            folder: folder.to_owned(),
            spool: Dir::open_ambient_dir(spool, ambient_authority())?,
            quota,
        })
    }

    /// Where it lies on the host.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is known about a path. A link is not followed.
    ///
    /// # Errors
    /// [`FileError::Missing`].
    pub fn stat(&self, path: &WorkspacePath) -> Result<Entry, FileError> {
        let metadata = self.dir.symlink_metadata(path.host());
        Ok(entry(path.clone(), &metadata.map_err(FileError::io("look at", path))?))
    }

    /// What is in a folder, in order.
    ///
    /// # Errors
    /// [`FileError::Missing`], [`FileError::Kind`].
    pub fn list(&self, path: &WorkspacePath, options: &ListOptions) -> Result<Listing, FileError> {
        let start = self.dir.open_dir(path.host()).map_err(|error| match error.kind() {
            ErrorKind::NotADirectory => FileError::Kind {
                path: path.to_string(),
                found: "file",
                expected: "folder",
            },
            _ => FileError::io("list", path)(error),
        })?;
        let (mut found, mut dropped, mut looked_at) = (BTreeMap::new(), false, 0);
        let names = start.entries().map_err(FileError::io("list", path))?;
        // From the top down to where it is, so that no more folders are open at once than a path has parts.
        let mut open = vec![(names, path.clone())];
        while let Some((names, folder)) = open.last_mut() {
            let Some(name) = names.next() else {
                open.pop();
                continue;
            };
            looked_at += 1;
            if looked_at > MAX_LOOKED_AT {
                dropped = true;
                break;
            }
            let Ok(name) = name else { continue };
            let Some(text) = name.file_name().to_str().map(str::to_owned) else {
                continue;
            };
            let below = folder.below(&text);
            let Ok(metadata) = name.metadata() else {
                continue; // removed meanwhile
            };
            let wanted = !options.files_only || metadata.is_file();
            if wanted && options.after.as_ref().is_none_or(|after| below > *after) {
                found.insert(below.clone(), entry(below.clone(), &metadata));
            }
            if found.len() > options.limit {
                dropped = true;
                found.pop_last();
            }
            // Not followed: a link to a folder above would make this endless.
            if metadata.is_dir() && options.recursive {
                match name.open_dir().and_then(|dir| dir.entries()) {
                    Ok(names) if open.len() <= MAX_DEPTH => open.push((names, below)),
                    Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
                    _ => dropped = true,
                }
            }
        }
        Ok(Listing {
            entries: found.into_values().collect(),
            truncated: dropped,
        })
    }

    /// Bytes of all files, however many there are.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn bytes(&self) -> Result<u64, FileError> {
        let root = WorkspacePath::root();
        let names = self.dir.entries().map_err(FileError::io("list", &root))?;
        // As in a listing: one open folder for each part of the path to where it is.
        let (mut bytes, mut open) = (0u64, vec![names]);
        while let Some(names) = open.last_mut() {
            let Some(name) = names.next() else {
                open.pop();
                continue;
            };
            let Ok((name, metadata)) = name.and_then(|name| name.metadata().map(|metadata| (name, metadata))) else {
                continue; // removed meanwhile
            };
            if metadata.is_file() {
                bytes = bytes.saturating_add(metadata.len());
            } else if metadata.is_dir() && open.len() <= MAX_DEPTH {
                open.extend(name.open_dir().and_then(|folder| folder.entries()));
            }
        }
        Ok(bytes)
    }

    /// The files below `output/`: what programs made for the caller.
    ///
    /// # Errors
    /// As [`Workspace::list`].
    pub fn artifacts(&self, limit: usize) -> Result<Listing, FileError> {
        let options = ListOptions {
            recursive: true,
            files_only: true,
            limit,
            after: None,
        };
        match self.list(&WorkspacePath(OUTPUT.into()), &options) {
            // Nobody made the folder, or made something else of it.
            Err(FileError::Missing(_) | FileError::Kind { .. }) => Ok(Listing::default()),
            listed => listed,
        }
    }

    /// Reads at most `limit` bytes of a file from `offset` on.
    ///
    /// # Errors
    /// [`FileError::Missing`], [`FileError::Kind`].
    pub fn read(&self, path: &WorkspacePath, offset: u64, limit: usize) -> Result<Part, FileError> {
        let mut file = self.open_file(path)?;
        let io = || FileError::io("read", path);
        let size = file.metadata().map_err(io())?.len();
        file.seek(SeekFrom::Start(offset)).map_err(io())?;
        let mut bytes = vec![];
        file.take(limit as u64).read_to_end(&mut bytes).map_err(io())?;
        Ok(Part { bytes, size })
    }

    /// Opens a file for reading, for callers that pass it on in pieces.
    ///
    /// # Errors
    /// As [`Workspace::read`].
    pub fn open_file(&self, path: &WorkspacePath) -> Result<File, FileError> {
        let file = self.dir.open(path.host()).map_err(FileError::io("read", path))?;
        let metadata = file.metadata().map_err(FileError::io("read", path))?;
        expect_file(path, &metadata)?;
        Ok(file)
    }

    /// Writes a file whole: it appears under its name, or replaces the one there, when all of it is written. Folders on the way
    /// are made.
    ///
    /// # Errors
    /// [`FileError::Full`], [`FileError::Kind`].
    pub fn write(&self, path: &WorkspacePath, content: &[u8]) -> Result<Entry, FileError> {
        if let Ok(there) = self.dir.metadata(path.host()) {
            expect_file(path, &there)?;
        }
        let io = || FileError::io("write", path);
        self.make_folders(&path.parent())?;
        let claim = self.quota.claim(&self.root, content.len() as u64, 1).map_err(io())?;
        let spooled = Spooled::create(&self.spool).map_err(io())?;
        (&spooled.file).write_all(content).map_err(io())?;
        self.spool.rename(&spooled.name, &self.dir, path.host()).map_err(io())?;
        claim.used();
        // The file it may have replaced counted too.
        self.quota.freed();
        self.stat(path)
    }

    /// Writes at the end of a file, all of it or nothing; the file is made if it is not there. Only what is added needs room.
    ///
    /// # Errors
    /// As [`Workspace::write`].
    pub fn append(&self, path: &WorkspacePath, content: &[u8]) -> Result<Entry, FileError> {
        match self.dir.metadata(path.host()) {
            Ok(there) => expect_file(path, &there)?,
            Err(_) => return self.write(path, content),
        }
        let io = || FileError::io("write", path);
        let claim = self.quota.claim(&self.root, content.len() as u64, 0).map_err(io())?;
        let mut options = OpenOptions::new();
        let mut file = self.dir.open_with(path.host(), options.append(true)).map_err(io())?;
        let before = file.metadata().map_err(io())?.len();
        if let Err(error) = file.write_all(content) {
            let _ = file.set_len(before);
            return Err(io()(error));
        }
        claim.used();
        Ok(entry(path.clone(), &file.metadata().map_err(io())?))
    }

    /// Removes a file, a link, or a folder: an empty one, unless it is to go with everything in it.
    ///
    /// # Errors
    /// [`FileError::Missing`], [`FileError::NotEmpty`].
    pub fn delete(&self, path: &WorkspacePath, with_content: bool) -> Result<(), FileError> {
        if path.is_root() {
            return Err(FileError::path(".", "is the workspace itself"));
        }
        let there = self.stat(path)?;
        let removed = match there.kind {
            EntryKind::Folder if with_content => self.dir.remove_dir_all(path.host()),
            EntryKind::Folder => self.dir.remove_dir(path.host()),
            EntryKind::File | EntryKind::Link => self.dir.remove_file(path.host()),
        };
        self.quota.freed();
        removed.map_err(FileError::io("remove", path))
    }

    /// Makes a folder, and those it lies in; nothing if it is there.
    ///
    /// # Errors
    /// [`FileError::Full`], [`FileError::Kind`].
    pub fn make_folder(&self, path: &WorkspacePath) -> Result<(), FileError> {
        self.make_folders(path)
    }

    fn make_folders(&self, path: &WorkspacePath) -> Result<(), FileError> {
        if path.is_root() {
            return Ok(());
        }
        match self.dir.metadata(path.host()) {
            Ok(there) if there.is_dir() => return Ok(()),
            Ok(_) => {
                return Err(FileError::Kind {
                    path: path.to_string(),
                    found: "file",
                    expected: "folder",
                });
            }
            Err(_) => {}
        }
        self.make_folders(&path.parent())?;
        let io = || FileError::io("make", path);
        let claim = self.quota.claim(&self.root, 0, 1).map_err(io())?;
        self.dir.create_dir(path.host()).map_err(io())?;
        claim.used();
        Ok(())
    }
}

fn entry(path: WorkspacePath, metadata: &Metadata) -> Entry {
    let kind = EntryKind::of(metadata);
    let is_file = kind == EntryKind::File;
    Entry {
        size: if is_file { metadata.len() } else { 0 },
        modified: metadata.modified().ok().map(cap_std::time::SystemTime::into_std),
        mime: is_file.then(|| mime::of(path.name())),
        kind,
        path,
    }
}

fn expect_file(path: &WorkspacePath, found: &Metadata) -> Result<(), FileError> {
    if found.is_file() {
        return Ok(());
    }
    Err(FileError::Kind {
        path: path.to_string(),
        found: if found.is_dir() { "folder" } else { "special file" },
        expected: "file",
    })
}

/// A file that has no place in the workspace yet; it goes away if it gets none.
struct Spooled<'a> {
    spool: &'a Dir,
    name: String,
    file: File,
}

impl Spooled<'_> {
    fn create(spool: &Dir) -> std::io::Result<Spooled<'_>> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(std::io::Error::other)?;
        let name = format!("{:016x}", u64::from_le_bytes(random));
        let mut options = OpenOptions::new();
        let file = spool.open_with(&name, options.write(true).create_new(true))?;
        Ok(Spooled { spool, name, file })
    }
}

impl Drop for Spooled<'_> {
    fn drop(&mut self) {
        // Not there any more if it was given a place.
        let _ = self.spool.remove_file(&self.name);
    }
}
