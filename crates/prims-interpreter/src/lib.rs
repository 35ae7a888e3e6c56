//! A request in, a report out: requirements become an environment, an environment becomes an image, code runs in a fresh instance
//! of it.
//!
//! This crate knows no protocol and blocks: whoever calls it decides about threads. It is the layer an embedder uses.
//!
//! ```text
//!  requirements ──prims-packages──▶ environment ──prims-sandbox──▶ image ──▶ run ──▶ report
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod images;
mod mime;
mod packages;
mod pristine;
mod sessions;
mod workspace;

pub use mime::of as mime_of;
pub use packages::{PackageOptions, ProgressFactory, Wanted};
pub use pristine::Pristine;
pub use sessions::{
    Call, CallReport, Handle, Memory, NewSession, SessionError, SessionInfo, SessionSettings, Sessions,
};
pub use workspace::{Entry, EntryKind, FileError, ListOptions, Listing, OUTPUT, Part, Workspace, WorkspacePath};

use images::Images;
use packages::{Asked, Packages};
use prims_cache::Cache;
use prims_packages::{BundledIndex, Indexes, Lock, NativeCheck};
use prims_sandbox::{Environment, Guest, Image, Invocation, Options, Outcome, Sandbox};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Name under which the runtime expands to the modules it always imports.
const DEFAULT_PRELOAD: &str = "@default";

/// Modules below a package's top level that its users want and that it imports only when they are used.
const PRELOAD_ALSO: &[(&str, &[&str])] = &[(
    "numpy",
    &["numpy.fft", "numpy.linalg", "numpy.polynomial", "numpy.random"],
)];

/// Runs Python. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Interpreter(Arc<Shared>);

struct Shared {
    sandbox: Sandbox,
    packages: Packages,
    images: Mutex<Images>,
}

/// An environment that is ready to run code in.
#[derive(Clone)]
pub struct Prepared {
    /// The packages in it, by name and version.
    pub packages: Vec<(String, String)>,
    /// The state runs start from.
    pub image: Image,
    /// What is to be said about the packages: for example which import no package could provide.
    pub notes: Vec<String>,
    /// Keeps the packages' folder from being cleaned away while it is in use.
    installed: Arc<prims_packages::Environment>,
}

/// What is asked for: packages and an invocation.
pub struct RunRequest {
    /// Requirements as in `pip install`, for example `numpy` or `numpy>=2`.
    pub requirements: Vec<String>,
    /// A lock to install instead.
    pub lock: Option<Arc<Lock>>,
    /// The code and its limits. A block of script metadata in it (PEP 723) adds requirements.
    pub invocation: Invocation,
}

/// What happened.
pub struct RunReport {
    /// What the code did.
    pub outcome: Outcome,
    /// The packages it could import, by name and version.
    pub packages: Vec<(String, String)>,
    /// What is to be said about them.
    pub notes: Vec<String>,
    /// From the call until the environment and its image were ready.
    pub prepare: Duration,
}

/// Why a request could not be carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The requirements cannot be satisfied, or a package is broken.
    #[error(transparent)]
    Packages(#[from] prims_packages::Error),
    /// The sandbox failed.
    #[error(transparent)]
    Sandbox(#[from] prims_sandbox::Error),
    /// A session cannot be used.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A file of a workspace cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Error {
    /// What to do about it, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Packages(error) => error.hint(),
            Error::Sandbox(error) => error.hint(),
            Error::Session(error) => error.hint().map(str::to_owned),
            Error::File(error) => error.hint().map(str::to_owned),
        }
    }
}

impl Interpreter {
    /// Compiles the interpreter, or maps what was compiled before. Only packages that are bundled can be had, and no network is used.
    pub fn new(guest: Guest, index: BundledIndex, cache: Cache, options: Options) -> Result<Interpreter, Error> {
        Interpreter::begin(guest, index, cache, options, None)
    }

    /// The same; packages that are not bundled are looked for on indexes.
    pub fn with_packages(
        guest: Guest,
        index: BundledIndex,
        cache: Cache,
        options: Options,
        packages: PackageOptions,
    ) -> Result<Interpreter, Error> {
        Interpreter::begin(guest, index, cache, options, Some(packages))
    }

    fn begin(
        guest: Guest,
        index: BundledIndex,
        cache: Cache,
        options: Options,
        packages: Option<PackageOptions>,
    ) -> Result<Interpreter, Error> {
        let version = format!("{} {}", guest.module_digest, env!("CARGO_PKG_VERSION"));
        let sandbox = Sandbox::new(guest, cache.clone(), options)?;
        let packages = packages.map(|packages| {
            let sandbox = sandbox.clone();
            let check = move |module: &[u8]| sandbox.check_side_module(module).map_err(|problem| problem.to_string());
            PackageOptions {
                indexes: packages.indexes.with_native_check(NativeCheck::new(&version, check)),
                ..packages
            }
        });
        Ok(Interpreter(Arc::new(Shared {
            sandbox,
            packages: Packages::new(cache, index, packages)?,
            images: Mutex::default(),
        })))
    }

    /// Where packages come from: to choose and fetch them without running anything.
    pub fn indexes(&self) -> &Indexes {
        self.0.packages.indexes()
    }

    /// The environment for some requirements: from memory, from the cache, or made now.
    pub fn prepare(&self, requirements: &[String]) -> Result<Prepared, Error> {
        self.prepare_for(&Wanted {
            requirements,
            ..Wanted::default()
        })
    }

    /// The environment for everything a run wants.
    pub fn prepare_for(&self, wanted: &Wanted) -> Result<Prepared, Error> {
        let asked = self.0.packages.asked(wanted)?;
        let outdated = match self.images().recall(&asked) {
            Some((known, true)) => return Ok(known),
            known => known.map(|(known, _)| known),
        };
        // Building happens outside the lock; two callers may both get here, and the cache lets only one of them build.
        let (installed, notes) = match (self.0.packages.environment(&asked), outdated) {
            (Ok((installed, notes)), _) => (Arc::new(installed), notes),
            // What worked an hour ago still does, whatever became of the index.
            (Err(Error::Packages(prims_packages::Error::Index(_))), Some(known)) => {
                self.images().postpone(&asked);
                return Ok(known);
            }
            (Err(error), _) => return Err(error),
        };
        let known = self.images().with_digest(&installed.digest);
        let prepared = match known {
            Some(prepared) => Prepared { notes, ..prepared },
            None => Prepared {
                packages: installed.packages.clone(),
                image: self.0.sandbox.image(&environment(&installed))?,
                notes,
                installed,
            },
        };
        self.images().remember(asked, prepared.clone());
        Ok(prepared)
    }

    /// The environment for some requirements with one certain image, which may have left the cache since: then from `keeper`.
    fn prepare_kept(&self, requirements: &[String], identity: &str, keeper: &Cache) -> Result<Option<Prepared>, Error> {
        let asked = Asked::requirements(requirements);
        let known = self.images().recall(&asked);
        if let Some((known, _)) = known.filter(|(known, _)| known.image.identity() == identity) {
            return Ok(Some(known));
        }
        let (installed, notes) = self.0.packages.environment(&asked)?;
        let installed = Arc::new(installed);
        let kept = self.0.sandbox.kept_image(&environment(&installed), identity, keeper)?;
        Ok(kept.map(|image| Prepared {
            packages: installed.packages.clone(),
            image,
            notes,
            installed,
        }))
    }

    fn images(&self) -> MutexGuard<'_, Images> {
        self.0.images.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prepares the environment and runs the code.
    pub fn run(&self, request: &RunRequest) -> Result<RunReport, Error> {
        let began = Instant::now();
        let prepared = self.prepare_for(&Wanted {
            requirements: &request.requirements,
            lock: request.lock.clone(),
            code: &request.invocation.code,
            workspace: request.invocation.workspace.as_deref(),
        })?;
        let prepare = began.elapsed();
        let outcome = prepared.image.run(&request.invocation)?;
        Ok(RunReport {
            outcome,
            packages: prepared.packages,
            notes: prepared.notes,
            prepare,
        })
    }
}

/// What the sandbox is to know of an environment.
fn environment(installed: &prims_packages::Environment) -> Environment {
    let also = |name: &str| {
        PRELOAD_ALSO
            .iter()
            .find(|(of, _)| *of == name)
            .map_or(&[][..], |(_, also)| also)
    };
    let packages = installed.top_level.iter().map(String::as_str);
    let packages = packages.flat_map(|name| std::iter::once(name).chain(also(name).iter().copied()));
    let preload = std::iter::once(DEFAULT_PRELOAD).chain(packages);
    Environment {
        path: installed.path.clone(),
        digest: installed.digest.clone(),
        preload: preload.map(str::to_owned).collect(),
    }
}
