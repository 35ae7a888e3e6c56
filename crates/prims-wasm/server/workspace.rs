//! Files of a workspace, as the tools want them: what `prims-interpreter` has, with paths as texts and bounds on what is read.

use prims_interpreter::{FileError, ListOptions, Part, Pristine};
use prims_sandbox::FolderQuota;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

pub(crate) use prims_interpreter::{Entry, EntryKind, Listing, OUTPUT, WorkspacePath};

/// Where files that were given by `mountPath` lie.
pub(crate) const MOUNTS: &str = "mounts";

/// The folders every workspace has.
const FOLDERS: &[&str] = &[OUTPUT, MOUNTS];

/// Entries that a listing shows; a workspace holds at most 10,000 names unless the operator says otherwise.
const MAX_ENTRIES: usize = 20_000;

/// Folders that wait to be removed; more are removed by whoever gave them up.
const UNSWEPT: usize = 64;

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
    pub(crate) fn list(&self, folder: &WorkspacePath) -> Result<Listing, Error> {
        let options = ListOptions {
            limit: MAX_ENTRIES,
            ..ListOptions::default()
        };
        Ok(self.0.list(folder, &options)?)
    }

    /// What the code made for others.
    pub(crate) fn artifacts(&self) -> Result<Listing, Error> {
        Ok(self.0.artifacts(MAX_ENTRIES)?)
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> Result<u64, Error> {
        Ok(self.0.bytes()?)
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
        let written = match append {
            true => self.0.append(path, bytes),
            false => self.0.write(path, bytes),
        };
        Ok(written?.size)
    }

    /// Removes a file, or a folder with all that is in it. The folders every workspace has are emptied.
    pub(crate) fn delete(&self, path: &WorkspacePath) -> Result<(), Error> {
        self.0.delete(path, true)?;
        self.furnish()
    }

    /// Makes the folders every workspace has.
    pub(crate) fn furnish(&self) -> Result<(), Error> {
        for name in FOLDERS {
            self.0.make_folder(&WorkspacePath::parse(name)?)?;
        }
        Ok(())
    }
}

/// What the guest sees of the folder of a run.
const WORKSPACE: &str = "workspace";

/// Removes folders on a thread of its own, which ends with the last clone of this: no answer waits for it.
#[derive(Clone)]
pub(crate) struct Sweeper(SyncSender<PathBuf>);

impl Sweeper {
    pub(crate) fn start() -> std::io::Result<Sweeper> {
        let (sender, folders) = sync_channel::<PathBuf>(UNSWEPT);
        let thread = std::thread::Builder::new().name("prims-sweeper".into());
        thread.spawn(move || folders.iter().for_each(|folder| sweep(&folder)))?;
        Ok(Sweeper(sender))
    }

    fn remove(&self, folder: PathBuf) {
        if let Err(TrySendError::Full(folder) | TrySendError::Disconnected(folder)) = self.0.try_send(folder) {
            sweep(&folder);
        }
    }
}

/// What cannot be removed now goes with the folder it lies in, at the end.
fn sweep(folder: &Path) {
    let _ = std::fs::remove_dir_all(folder);
}

/// A workspace of a run without a session; removed when it is dropped.
pub(crate) struct RunFolder {
    folder: PathBuf,
    pub(crate) quota: FolderQuota,
    made: Pristine,
    sweeper: Sweeper,
}

impl RunFolder {
    /// Makes the folder, with what every workspace has.
    pub(crate) fn make(folder: PathBuf, quota: FolderQuota, sweeper: Sweeper) -> std::io::Result<RunFolder> {
        // Not the one it lies in: that one is gone when the server has ended.
        std::fs::create_dir(&folder)?;
        let made = fill(&folder).inspect_err(|_| sweep(&folder))?;
        Ok(RunFolder {
            folder,
            quota,
            made,
            sweeper,
        })
    }

    /// What the guest sees as its working directory.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(WORKSPACE)
    }

    /// The files in it.
    pub(crate) fn open(&self) -> std::io::Result<Workspace> {
        let spool = self.folder.join("spool");
        prims_interpreter::Workspace::open(&self.path(), &spool, self.quota.clone()).map(Workspace)
    }

    /// Whether nobody wrote anything, so that another run can have it.
    pub(crate) fn is_pristine(&self) -> bool {
        self.made.still(&self.path())
    }
}

/// Makes what is in the folder of a run.
fn fill(folder: &Path) -> std::io::Result<Pristine> {
    let workspace = folder.join(WORKSPACE);
    std::fs::create_dir(folder.join("spool"))?;
    std::fs::create_dir(&workspace)?;
    for name in FOLDERS {
        std::fs::create_dir(workspace.join(name))?;
    }
    Pristine::of(&workspace, FOLDERS)
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        self.sweeper.remove(std::mem::take(&mut self.folder));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_folder_is_used_again_only_as_it_was_made() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("run");
        let quota = FolderQuota::new(1 << 20, 100);
        let run = RunFolder::make(folder.clone(), quota, Sweeper::start().unwrap()).unwrap();
        assert!(run.is_pristine() && run.is_pristine());
        std::fs::write(run.path().join("output/a"), "").unwrap();
        assert!(!run.is_pristine());
        drop(run);
        while folder.exists() {
            std::thread::yield_now();
        }
    }
}
