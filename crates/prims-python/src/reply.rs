//! What happened, as Python sees it.

use crate::decode::in_order;
use crate::errors::Error;
use prims_interpreter::{Workspace, WorkspacePath};
use prims_sandbox::{Exit, FolderQuota, Limits, Outcome, StopReason};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

/// Files listed of a run; a workspace holds fewer names unless limits say otherwise.
const MAX_FILES: usize = 20_000;

/// The folders every workspace has: where programs put what is meant for the caller, and what they are given.
pub(crate) const FOLDERS: [&str; 2] = ["output", "mounts"];

/// What a run of either kind did.
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) packages: Vec<(String, String)>,
    pub(crate) notes: Vec<String>,
    pub(crate) prepare: Duration,
    /// Path, size and media type of the files below `output/`.
    pub(crate) artifacts: Vec<(String, u64, String)>,
    /// Where they are; `None` in a session, and where there are none.
    pub(crate) folder: Option<RunFolder>,
}

/// The workspace of a run without a session. Its files go when Python drops it.
#[pyclass(frozen, module = "prims_wasm._native")]
pub(crate) struct RunFolder {
    /// `None` after it was closed.
    folder: Mutex<Option<tempfile::TempDir>>,
    path: PathBuf,
    quota: FolderQuota,
}

impl RunFolder {
    /// Makes one below `parent`.
    pub(crate) fn make(parent: &Path, limits: &Limits) -> std::io::Result<RunFolder> {
        let folder = tempfile::tempdir_in(parent)?;
        let path = folder.path().to_owned();
        for part in FOLDERS {
            std::fs::create_dir_all(path.join("workspace").join(part))?;
        }
        std::fs::create_dir(path.join("spool"))?;
        Ok(RunFolder {
            folder: Mutex::new(Some(folder)),
            path,
            quota: FolderQuota::new(limits.files_bytes, limits.files_count),
        })
    }

    /// What the guest sees as its working directory.
    pub(crate) fn workspace(&self) -> PathBuf {
        self.path.join("workspace")
    }

    pub(crate) fn quota(&self) -> FolderQuota {
        self.quota.clone()
    }

    pub(crate) fn open(&self) -> Result<Workspace, Error> {
        Workspace::open(&self.workspace(), &self.path.join("spool"), self.quota.clone())
            .map_err(Error::io("open the run's files"))
    }

    /// Whether nobody wrote anything, so that another run can have it.
    pub(crate) fn is_pristine(&self) -> bool {
        let names = |path: PathBuf| std::fs::read_dir(path).map(Iterator::count).ok();
        let workspace = self.workspace();
        names(workspace.clone()) == Some(FOLDERS.len())
            && FOLDERS.iter().all(|name| names(workspace.join(name)) == Some(0))
    }
}

#[pymethods]
impl RunFolder {
    /// The bytes of a file.
    fn read<'py>(&self, py: Python<'py>, path: &str) -> PyResult<Bound<'py, PyBytes>> {
        if self.folder.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            return Err(Error::Closed.into());
        }
        let bytes = py.detach(|| read(&self.open()?, path));
        Ok(PyBytes::new(py, &bytes?))
    }

    /// Removes the files.
    fn close(&self) {
        self.folder.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// The whole of a file. What a workspace may hold bounds it.
pub(crate) fn read(workspace: &Workspace, path: &str) -> Result<Vec<u8>, Error> {
    let path = WorkspacePath::parse(path)?;
    let size = usize::try_from(workspace.stat(&path)?.size).unwrap_or(usize::MAX);
    Ok(workspace.read(&path, 0, size)?.bytes)
}

/// The files below `output/`.
pub(crate) fn artifacts(workspace: &Workspace) -> Result<Vec<(String, u64, String)>, Error> {
    let listing = workspace.artifacts(MAX_FILES)?;
    let described = listing.entries.into_iter().map(|entry| {
        let mime = entry.mime.unwrap_or("application/octet-stream").to_owned();
        (entry.path.as_str().to_owned(), entry.size, mime)
    });
    Ok(described.collect())
}

fn status(exit: &Exit) -> &'static str {
    match exit {
        Exit::Completed(_) => "success",
        Exit::Raised(_) => "error",
        Exit::Exited(_) => "exit",
        Exit::Stopped(StopReason::WallClock) => "timeout",
        Exit::Stopped(StopReason::Fuel) => "fuel_exhausted",
        Exit::Stopped(StopReason::Memory) => "memory_limit",
        Exit::Stopped(StopReason::Output) => "output_limit",
        Exit::Stopped(StopReason::Cancelled) => "cancelled",
        Exit::Crashed(_) => "crashed",
    }
}

/// The reply as a dictionary; the package makes a typed result of it.
pub(crate) fn reply<'py>(py: Python<'py>, ran: Ran, ordered: bool) -> PyResult<Bound<'py, PyDict>> {
    let reply = PyDict::new(py);
    let Outcome { exit, output, usage } = ran.outcome;
    reply.set_item("status", status(&exit))?;
    reply.set_item("exit_code", prims_wasm::exit_status(&exit))?;
    reply.set_item("stdout", output.stdout.text())?;
    reply.set_item("stderr", output.stderr.text())?;
    reply.set_item("truncated", (output.stdout.truncated(), output.stderr.truncated()))?;
    if ordered {
        reply.set_item("ordered", in_order(&output))?;
    }
    match exit {
        Exit::Completed(Some(value)) => {
            reply.set_item("repr", value.repr)?;
            reply.set_item("repr_truncated", value.repr_truncated)?;
            reply.set_item("value", value.json.map(|json| json.to_string()))?;
            reply.set_item("rich", value.rich.map(|rich| (rich.mime, rich.data)))?;
        }
        Exit::Raised(error) => {
            let kind = if error.module == "builtins" {
                error.kind
            } else {
                format!("{}.{}", error.module, error.kind)
            };
            reply.set_item("error", (kind, error.message, error.traceback, error.line))?;
        }
        Exit::Crashed(crash) => reply.set_item("crash", crash.message)?,
        Exit::Completed(None) | Exit::Exited(_) | Exit::Stopped(_) => {}
    }
    let seconds = (
        usage.wall.as_secs_f64(),
        usage.start.as_secs_f64(),
        ran.prepare.as_secs_f64(),
    );
    reply.set_item(
        "usage",
        (seconds.0, seconds.1, seconds.2, usage.fuel, usage.peak_memory),
    )?;
    reply.set_item("packages", ran.packages)?;
    reply.set_item("notes", ran.notes)?;
    reply.set_item("artifacts", ran.artifacts)?;
    reply.set_item("folder", ran.folder)?;
    Ok(reply)
}

/// The reply to requirements that cannot be met: nothing was run.
pub(crate) fn not_installed<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyDict>> {
    let reply = PyDict::new(py);
    reply.set_item("status", "install_error")?;
    reply.set_item("not_installed", (error.to_string(), error.hint()))?;
    Ok(reply)
}
