//! What the guest sees of the world: the 46 functions of WASI preview 1, and two that duplicate descriptors.
//!
//! Files are wasmtime-wasi's business: it resolves every path, below the directories a run is given. Everything it leaves
//! unbounded is ours: the descriptor table, output, waiting, randomness, how much a directory may hold, how much one call
//! may ask for. None of its preview 1 functions is used, so no call needs or starts an asynchronous runtime.
//!
//! Whatever the guest passes is checked against its memory first (`EFAULT`), no call allocates more than about 100 KiB,
//! waits beyond the end of the run, or panics. A call during which the run is stopped traps with [`Stopped`].
//!
//! [`Stopped`]: crate::stop::Stopped

mod abi;
mod clock;
mod descriptors;
mod fd;
mod files;
mod linker;
mod output;
mod paths;
mod quota;
mod random;
mod readdir;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use wasmtime::Memory;

pub(crate) use linker::add_to_linker;
pub use output::Stream;
pub(crate) use output::{Captured, CapturedStream, Output, Overflow};
pub(crate) use quota::{Quota, Reservation};
pub(crate) use random::Entropy;

use crate::stop::{Cancel, Watch};
use descriptors::Slot;
use files::Files;
use output::Capture;

/// What a run is given. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct WasiSpec {
    /// The directories of the guest, in the order of their descriptors, from 3 on.
    pub(crate) mounts: Arc<[Mount]>,
    /// What becomes of standard output and standard error.
    pub(crate) output: Output,
    /// Ends the run.
    pub(crate) watch: Watch,
    /// Where randomness comes from.
    pub(crate) entropy: Entropy,
    /// The steps in which clocks advance.
    pub(crate) clock_resolution: Duration,
    /// How many descriptors there can be, the standard streams and the mounts among them.
    pub(crate) max_descriptors: u32,
}

impl WasiSpec {
    /// The steps in which clocks advance unless somebody asks for others: 10 microseconds.
    pub(crate) const DEFAULT_CLOCK_RESOLUTION: Duration = Duration::from_micros(10);
    /// How many descriptors there can be unless somebody asks for another number.
    pub(crate) const DEFAULT_MAX_DESCRIPTORS: u32 = 256;

    /// No directories, nobody listening, no deadline: what an instance has that is not running anything.
    pub(crate) fn idle() -> WasiSpec {
        WasiSpec {
            mounts: Arc::default(),
            output: Output::default(),
            watch: Watch {
                deadline: None,
                cancel: Cancel::new(),
            },
            entropy: Entropy::Os,
            clock_resolution: WasiSpec::DEFAULT_CLOCK_RESOLUTION,
            max_descriptors: WasiSpec::DEFAULT_MAX_DESCRIPTORS,
        }
    }
}

/// A directory of the host that the guest can use.
#[derive(Clone, Debug)]
pub(crate) struct Mount {
    /// Where the guest finds it: an absolute path.
    pub(crate) guest_path: String,
    /// Where it is on the host. It is opened when the guest first uses it.
    pub(crate) host: Folder,
    /// What the guest may do with it.
    pub(crate) access: Access,
}

/// A folder of the host that many runs read, found (unpacked, verified) when the first of them looks into it. Most runs never do:
/// what they import is in their image.
#[derive(Clone)]
pub struct SharedFolder(Arc<Find>);

struct Find {
    find: Box<dyn Fn() -> std::io::Result<PathBuf> + Send + Sync>,
    found: OnceLock<PathBuf>,
}

impl SharedFolder {
    /// The folder that `find` will return. It is asked until it succeeds.
    pub fn new(find: impl Fn() -> std::io::Result<PathBuf> + Send + Sync + 'static) -> SharedFolder {
        SharedFolder(Arc::new(Find {
            find: Box::new(find),
            found: OnceLock::new(),
        }))
    }

    /// Its path.
    ///
    /// # Errors
    /// What finding it says.
    pub fn path(&self) -> std::io::Result<&Path> {
        if self.0.found.get().is_none() {
            let _ = self.0.found.set((self.0.find)()?);
        }
        self.0
            .found
            .get()
            .map(PathBuf::as_path)
            .ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }
}

impl std::fmt::Debug for SharedFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SharedFolder").field(&self.0.found.get()).finish()
    }
}

/// A folder of the host.
#[derive(Clone, Debug)]
pub(crate) enum Folder {
    /// One that exists.
    Given(PathBuf),
    /// One that is found when it is first asked for.
    Shared(SharedFolder),
    /// An empty one of its own, made when it is first asked for and removed with the last clone.
    Temporary(Arc<OnceLock<tempfile::TempDir>>),
}

impl Folder {
    /// A folder that will be made when somebody looks into it.
    pub(crate) fn temporary() -> Folder {
        Folder::Temporary(Arc::default())
    }

    /// Its path; makes it if it is temporary and not there yet.
    fn path(&self) -> std::io::Result<&Path> {
        match self {
            Folder::Given(path) => Ok(path),
            Folder::Shared(shared) => shared.path(),
            Folder::Temporary(made) => {
                if made.get().is_none() {
                    // If two threads meet here, one of the two folders is dropped and thereby removed.
                    let _ = made.set(tempfile::Builder::new().prefix("prims-").tempdir()?);
                }
                made.get()
                    .map(tempfile::TempDir::path)
                    .ok_or_else(|| std::io::ErrorKind::NotFound.into())
            }
        }
    }
}

/// What the guest may do with a mount.
#[derive(Clone, Debug)]
pub(crate) enum Access {
    /// Look at it. Every attempt to change something answers `EROFS`.
    ReadOnly,
    /// Change it within a quota.
    Writable(Arc<Quota>),
}

/// The error that ends a run whose guest called `proc_exit`; the runner downcasts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("guest exited with code {0}")]
pub(crate) struct Exit(pub(crate) u32);

/// What a run knows of the world. Creating one costs next to nothing: directories are opened when they are used.
pub(crate) struct Wasi {
    spec: WasiSpec,
    started: Instant,
    memory: Option<Memory>,
    capture: Capture,
    /// What the numbers of the standard streams stand for.
    standard: [Slot; 3],
    files: Option<Box<Files>>,
}

impl Wasi {
    /// The state of a run that begins now.
    pub(crate) fn new(spec: WasiSpec) -> Wasi {
        let capture = Capture::new(spec.output.clone());
        Wasi {
            spec,
            started: Instant::now(),
            memory: None,
            capture,
            standard: Slot::INITIAL,
            files: None,
        }
    }

    /// What ends the run.
    pub(crate) fn watch(&self) -> &Watch {
        &self.spec.watch
    }

    /// Names the guest's memory. Without this it is what the first caller exports as `memory`.
    pub(crate) fn set_memory(&mut self, memory: Memory) {
        self.memory = Some(memory);
    }

    /// How many files and directories are open, beside the standard streams and the mounts.
    #[cfg(test)]
    pub(crate) fn open_descriptors(&self) -> usize {
        self.files.as_ref().map_or(0, |files| files.count())
    }

    /// Ends the run: closes what is open and gives what was written.
    pub(crate) fn finish(self) -> Captured {
        self.capture.finish()
    }

    /// Whether nobody can have opened `number`, since nothing was opened yet: no reason to make the table.
    fn is_untouched(&self, number: u32) -> bool {
        self.files.is_none() && (number as usize) >= fd::FIRST as usize + self.spec.mounts.len()
    }

    /// The descriptor table, which is made now if nobody needed it before.
    fn files(&mut self) -> (&mut Files, &WasiSpec) {
        (
            self.files.get_or_insert_with(|| Box::new(Files::new(&self.spec))),
            &self.spec,
        )
    }
}
