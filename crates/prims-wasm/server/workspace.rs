//! Files of a workspace, as the tools want them: what `prims-interpreter` has, with paths as texts and bounds on what is read.

use prims_interpreter::{Entry as Found, EntryKind, FileError, ListOptions, Part};
use prims_sandbox::FolderQuota;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub(crate) use prims_interpreter::WorkspacePath;

/// Where code puts what it made for others.
pub(crate) const OUTPUT: &str = "output";
/// Where files that were given by `mountPath` lie.
pub(crate) const MOUNTS: &str = "mounts";

/// Entries that a listing shows; a workspace holds at most 10,000 names unless the operator says otherwise.
const MAX_ENTRIES: usize = 20_000;

/// Why a file of a workspace cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It is not there, not what it should be, or there is no room.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is larger than the operation takes.
    #[error("`{path}` has {found} bytes, at most {limit} are allowed here")]
    TooLarge {
        /// Its path.
        path: String,
        /// Its size.
        found: u64,
        /// The most it may have.
        limit: u64,
    },
    /// The host failed.
    #[error("cannot use the workspace")]
    Io(#[from] std::io::Error),
}

/// Reads the path of a file: not the workspace itself.
pub(crate) fn file(text: &str) -> Result<WorkspacePath, Error> {
    let path = WorkspacePath::parse(text)?;
    if path.as_str().is_empty() {
        return Err(Error::File(FileError::Kind {
            path: text.chars().take(80).collect(),
            found: "folder",
            expected: "file",
        }));
    }
    Ok(path)
}

/// A path below a folder.
pub(crate) fn below(folder: &str, path: &WorkspacePath) -> Result<WorkspacePath, Error> {
    Ok(WorkspacePath::parse(&format!("{folder}/{}", path.as_str()))?)
}

/// Whether a path names something the code made for others.
pub(crate) fn is_artifact(path: &WorkspacePath) -> bool {
    path.as_str()
        .strip_prefix(OUTPUT)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// A media type by the name's ending, as servers guess it.
pub(crate) fn mime(name: &str) -> &'static str {
    prims_interpreter::mime_of(name)
}

/// Whether files of this type are given as text where they are text.
pub(crate) fn is_text(mime: &str) -> bool {
    mime.starts_with("text/")
        || matches!(
            mime,
            "application/json" | "application/xml" | "application/yaml" | "application/toml" | "image/svg+xml"
        )
}

/// Something in a workspace.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Relative to the workspace.
    pub(crate) path: String,
    pub(crate) is_folder: bool,
    pub(crate) size: u64,
    pub(crate) modified: Option<SystemTime>,
}

impl From<Found> for Entry {
    fn from(found: Found) -> Entry {
        Entry {
            path: found.path.as_str().to_owned(),
            is_folder: found.kind == EntryKind::Folder,
            size: found.size,
            modified: found.modified,
        }
    }
}

/// The files of a session or of a run.
pub(crate) struct Workspace(prims_interpreter::Workspace);

impl From<prims_interpreter::Workspace> for Workspace {
    fn from(workspace: prims_interpreter::Workspace) -> Workspace {
        Workspace(workspace)
    }
}

impl Workspace {
    /// Where it lies on the host.
    pub(crate) fn folder(&self) -> &Path {
        self.0.folder()
    }

    /// What is in a folder, by name.
    pub(crate) fn list(&self, folder: &WorkspacePath) -> Result<Vec<Entry>, Error> {
        let options = ListOptions {
            limit: MAX_ENTRIES,
            ..ListOptions::default()
        };
        let listing = self.0.list(folder, &options)?;
        Ok(listing.entries.into_iter().map(Entry::from).collect())
    }

    /// What the code made for others.
    pub(crate) fn artifacts(&self) -> Result<Vec<Entry>, Error> {
        let listing = self.0.artifacts(MAX_ENTRIES)?;
        Ok(listing.entries.into_iter().map(Entry::from).collect())
    }

    /// Bytes of all files.
    pub(crate) fn held(&self) -> Result<u64, Error> {
        let options = ListOptions {
            recursive: true,
            files_only: true,
            limit: MAX_ENTRIES,
            ..ListOptions::default()
        };
        let listing = self.0.list(&WorkspacePath::root(), &options)?;
        Ok(listing.entries.iter().map(|entry| entry.size).sum())
    }

    /// A part of a file.
    pub(crate) fn read(&self, path: &WorkspacePath, offset: u64, limit: u64) -> Result<Part, Error> {
        Ok(self
            .0
            .read(path, offset, usize::try_from(limit).unwrap_or(usize::MAX))?)
    }

    /// A whole file that is not too large.
    pub(crate) fn read_whole(&self, path: &WorkspacePath, limit: u64) -> Result<Vec<u8>, Error> {
        let part = self.read(path, 0, limit)?;
        if part.size > limit {
            let (path, found) = (path.as_str().to_owned(), part.size);
            return Err(Error::TooLarge { path, found, limit });
        }
        Ok(part.bytes)
    }

    /// Opens a file that is passed on in pieces.
    pub(crate) fn open_file(&self, path: &WorkspacePath) -> Result<std::fs::File, Error> {
        Ok(self.0.open_file(path)?.into_std())
    }

    /// Writes a file, or more of it; its size then.
    pub(crate) fn write(&self, path: &WorkspacePath, bytes: &[u8], append: bool) -> Result<u64, Error> {
        let before = match append {
            true => match self.0.read(path, 0, usize::MAX) {
                Ok(part) => part.bytes,
                Err(FileError::Missing(_)) => vec![],
                Err(error) => return Err(error.into()),
            },
            false => vec![],
        };
        let entry = if before.is_empty() {
            self.0.write(path, bytes)?
        } else {
            self.0.write(path, &[&before, bytes].concat())?
        };
        Ok(entry.size)
    }

    /// Removes a file, or a folder with all that is in it. The folders every workspace has are emptied.
    pub(crate) fn delete(&self, path: &WorkspacePath) -> Result<(), Error> {
        self.0.delete(path, true)?;
        self.furnish()
    }

    /// Makes the folders every workspace has.
    pub(crate) fn furnish(&self) -> Result<(), Error> {
        for name in [OUTPUT, MOUNTS] {
            self.0.make_folder(&WorkspacePath::parse(name)?)?;
        }
        Ok(())
    }
}

/// A workspace of a run without a session.
pub(crate) struct RunFolder {
    folder: PathBuf,
    pub(crate) quota: FolderQuota,
}

impl RunFolder {
    /// Makes the folder, with what every workspace has.
    pub(crate) fn make(folder: PathBuf, quota: FolderQuota) -> std::io::Result<RunFolder> {
        let made = RunFolder { folder, quota };
        for part in [
            format!("workspace/{OUTPUT}"),
            format!("workspace/{MOUNTS}"),
            "spool".into(),
        ] {
            std::fs::create_dir_all(made.folder.join(part))?;
        }
        Ok(made)
    }

    /// What the guest sees as its working directory.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join("workspace")
    }

    /// The files in it.
    pub(crate) fn open(&self) -> std::io::Result<Workspace> {
        let spool = self.folder.join("spool");
        prims_interpreter::Workspace::open(&self.path(), &spool, self.quota.clone()).map(Workspace)
    }

    /// Whether nobody wrote anything, so that another run can have it.
    pub(crate) fn is_pristine(&self) -> bool {
        let is_empty = |path: &Path| std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
        let names = std::fs::read_dir(self.path()).map(Iterator::count);
        names.is_ok_and(|names| names == 2) && [OUTPUT, MOUNTS].iter().all(|name| is_empty(&self.path().join(name)))
    }

    pub(crate) fn remove(&self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
