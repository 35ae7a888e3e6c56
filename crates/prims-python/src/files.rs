//! Files of runs and of sessions.

use crate::errors::Error;
use prims_interpreter::{ListOptions, Listing, OUTPUT, Pristine, Workspace, WorkspacePath};
use prims_sandbox::{FolderQuota, Limits};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::{Path, PathBuf};

/// Files that a listing shows; a workspace holds fewer names unless limits say otherwise.
const MAX_FILES: usize = 20_000;

/// The folders every workspace has: where programs put what is meant for the caller, and what they are given.
pub(crate) const FOLDERS: &[&str] = &[OUTPUT, "mounts"];

/// Path, size and media type of a file.
pub(crate) type Described = (String, u64, String);

/// The workspace of a run without a session. Its files go when Python drops it.
#[pyclass(frozen, module = "prims_wasm._native")]
pub(crate) struct RunFolder {
    folder: tempfile::TempDir,
    quota: FolderQuota,
    made: Pristine,
    process: u32,
}

impl RunFolder {
    /// Makes one below `parent`.
    pub(crate) fn make(parent: &Path, limits: &Limits) -> std::io::Result<RunFolder> {
        let folder = tempfile::tempdir_in(parent)?;
        let workspace = folder.path().join("workspace");
        for part in FOLDERS {
            std::fs::create_dir_all(workspace.join(part))?;
        }
        std::fs::create_dir(folder.path().join("spool"))?;
        Ok(RunFolder {
            folder,
            quota: FolderQuota::new(limits.files_bytes, limits.files_count),
            made: Pristine::of(&workspace, FOLDERS)?,
            process: std::process::id(),
        })
    }

    /// What the guest sees as its working directory.
    pub(crate) fn workspace(&self) -> PathBuf {
        self.folder.path().join("workspace")
    }

    pub(crate) fn quota(&self) -> FolderQuota {
        self.quota.clone()
    }

    pub(crate) fn open(&self) -> Result<Workspace, Error> {
        Workspace::open(&self.workspace(), &self.folder.path().join("spool"), self.quota.clone())
            .map_err(Error::io("open the run's files"))
    }

    /// Whether nobody wrote anything, so that another run can have it.
    pub(crate) fn is_pristine(&self) -> bool {
        self.made.still(&self.workspace())
    }
}

#[pymethods]
impl RunFolder {
    /// The bytes of a file.
    fn read<'py>(&self, py: Python<'py>, path: &str) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = py.detach(|| read(&self.open()?, path));
        Ok(PyBytes::new(py, &bytes?))
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        // A fork has this as well, and the files are not its own.
        if self.process != std::process::id() {
            self.folder.disable_cleanup(true);
        }
    }
}

/// The whole of a file. What a workspace may hold bounds it.
pub(crate) fn read(workspace: &Workspace, path: &str) -> Result<Vec<u8>, Error> {
    let path = WorkspacePath::parse(path)?;
    let size = usize::try_from(workspace.stat(&path)?.size).unwrap_or(usize::MAX);
    Ok(workspace.read(&path, 0, size)?.bytes)
}

/// The files below `output/`.
pub(crate) fn artifacts(workspace: &Workspace) -> Result<Vec<Described>, Error> {
    Ok(described(workspace.artifacts(MAX_FILES)?))
}

/// The files below a folder.
pub(crate) fn list(workspace: &Workspace, path: &str) -> Result<Vec<Described>, Error> {
    let options = ListOptions {
        recursive: true,
        files_only: true,
        limit: MAX_FILES,
        after: None,
    };
    let path = match path {
        "" | "." => WorkspacePath::root(),
        path => WorkspacePath::parse(path)?,
    };
    Ok(described(workspace.list(&path, &options)?))
}

fn described(listing: Listing) -> Vec<Described> {
    let described = listing.entries.into_iter().map(|entry| {
        let mime = entry.mime.unwrap_or("application/octet-stream").to_owned();
        (entry.path.as_str().to_owned(), entry.size, mime)
    });
    described.collect()
}
