//! A request in, a report out: requirements become an environment, an environment becomes an image, code runs in a fresh instance
//! of it.
//!
//! This crate knows no protocol and blocks: whoever calls it decides about threads. It is the layer an embedder uses.
//!
//! ```text
//!  requirements ──prims-packages──▶ environment ──prims-sandbox──▶ image ──▶ run ──▶ report
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod mime;
mod sessions;
mod workspace;

pub use sessions::{
    Call, CallReport, Handle, Memory, NewSession, SessionError, SessionInfo, SessionSettings, Sessions,
};
pub use workspace::{Entry, EntryKind, FileError, ListOptions, Listing, Part, Workspace, WorkspacePath};

use prims_cache::Cache;
use prims_packages::{BundledIndex, Requirements};
use prims_sandbox::{Environment, Guest, Image, Invocation, Options, Outcome, Sandbox};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Images kept mapped at a time; the one used longest ago goes first.
const MAPPED_IMAGES: usize = 8;

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
    cache: Cache,
    index: BundledIndex,
    images: Mutex<Images>,
}

/// The most recently used environments, found by what was asked for.
#[derive(Default)]
struct Images {
    clock: u64,
    by_requirements: HashMap<Vec<String>, (u64, Prepared)>,
}

/// An environment that is ready to run code in.
#[derive(Clone)]
pub struct Prepared {
    /// The packages in it, by name and version.
    pub packages: Vec<(String, String)>,
    /// The state runs start from.
    pub image: Image,
    /// Keeps the packages' folder from being cleaned away while it is in use.
    installed: Arc<prims_packages::Environment>,
}

/// What is asked for: packages and an invocation.
pub struct RunRequest {
    /// Requirements as in `pip install`, for example `numpy` or `numpy>=2`.
    pub requirements: Vec<String>,
    /// The code and its limits.
    pub invocation: Invocation,
}

/// What happened.
pub struct RunReport {
    /// What the code did.
    pub outcome: Outcome,
    /// The packages it could import, by name and version.
    pub packages: Vec<(String, String)>,
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
    /// Compiles the interpreter, or maps what was compiled before.
    pub fn new(guest: Guest, index: BundledIndex, cache: Cache, options: Options) -> Result<Interpreter, Error> {
        let sandbox = Sandbox::new(guest, cache.clone(), options)?;
        Ok(Interpreter(Arc::new(Shared {
            sandbox,
            cache,
            index,
            images: Mutex::default(),
        })))
    }

    /// The environment for some requirements: from memory, from the cache, or made now.
    pub fn prepare(&self, requirements: &[String]) -> Result<Prepared, Error> {
        if let Some(known) = self.images().recall(requirements) {
            return Ok(known);
        }
        // Building happens outside the lock; two callers may both get here, and the cache lets only one of them build.
        let installed = self.install(requirements)?;
        let known = self.images().with_digest(&installed.digest);
        let prepared = match known {
            Some(prepared) => prepared,
            None => {
                let image = self.0.sandbox.image(&environment(&installed))?;
                Prepared {
                    packages: installed.packages.clone(),
                    image,
                    installed,
                }
            }
        };
        self.images().remember(requirements, prepared.clone());
        Ok(prepared)
    }

    /// The environment for some requirements with one certain image, which may have left the cache since: then from `keeper`.
    fn prepare_kept(&self, requirements: &[String], identity: &str, keeper: &Cache) -> Result<Option<Prepared>, Error> {
        let known = self.images().recall(requirements);
        if let Some(known) = known.filter(|known| known.image.identity() == identity) {
            return Ok(Some(known));
        }
        let installed = self.install(requirements)?;
        let kept = self.0.sandbox.kept_image(&environment(&installed), identity, keeper)?;
        Ok(kept.map(|image| Prepared {
            packages: installed.packages.clone(),
            image,
            installed,
        }))
    }

    fn install(&self, requirements: &[String]) -> Result<Arc<prims_packages::Environment>, Error> {
        let shared = &self.0;
        let names: Vec<&str> = requirements.iter().map(String::as_str).collect();
        let resolved = shared.index.resolve(&Requirements::parse(&names)?)?;
        Ok(Arc::new(prims_packages::install(&shared.cache, &resolved)?))
    }

    fn images(&self) -> MutexGuard<'_, Images> {
        self.0.images.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prepares the environment and runs the code.
    pub fn run(&self, request: &RunRequest) -> Result<RunReport, Error> {
        let began = Instant::now();
        let prepared = self.prepare(&request.requirements)?;
        let prepare = began.elapsed();
        let outcome = prepared.image.run(&request.invocation)?;
        Ok(RunReport {
            outcome,
            packages: prepared.packages,
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

impl Images {
    fn recall(&mut self, requirements: &[String]) -> Option<Prepared> {
        self.clock += 1;
        let (used, prepared) = self.by_requirements.get_mut(requirements)?;
        *used = self.clock;
        Some(prepared.clone())
    }

    /// The same environment asked for in other words.
    fn with_digest(&self, digest: &str) -> Option<Prepared> {
        let mut all = self.by_requirements.values().map(|(_, prepared)| prepared);
        all.find(|prepared| prepared.installed.digest == digest).cloned()
    }

    fn remember(&mut self, requirements: &[String], prepared: Prepared) {
        let oldest = self
            .by_requirements
            .iter()
            .min_by_key(|(_, (used, _))| *used)
            .map(|(asked, _)| asked.clone());
        if self.by_requirements.len() >= MAPPED_IMAGES
            && let Some(oldest) = oldest
        {
            self.by_requirements.remove(&oldest);
        }
        self.by_requirements
            .insert(requirements.to_vec(), (self.clock, prepared));
    }
}
