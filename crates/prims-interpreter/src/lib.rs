//! A request in, a report out: requirements become an environment, an environment becomes an image, code runs in a fresh instance
//! of it.
//!
//! This crate knows no protocol and blocks: whoever calls it decides about threads. It is the layer an embedder uses.
//!
//! ```text
//!  requirements ──prims-packages──▶ environment ──prims-sandbox──▶ image ──▶ run ──▶ report
//! ```

use prims_cache::Cache;
use prims_packages::{BundledIndex, Requirements};
use prims_sandbox::{Environment, Guest, Image, Invocation, Options, Outcome, Sandbox};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Images kept mapped at a time; the one used longest ago goes first.
const MAPPED_IMAGES: usize = 8;

/// Name under which the runtime expands to the modules it always imports.
const DEFAULT_PRELOAD: &str = "@default";

/// Runs Python. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Interpreter(Arc<Shared>);

struct Shared {
    sandbox: Sandbox,
    cache: Cache,
    index: BundledIndex,
    images: Mutex<Images>,
}

/// The most recently used images by environment.
#[derive(Default)]
struct Images {
    clock: u64,
    by_environment: HashMap<String, (u64, Prepared)>,
}

/// An environment that is ready to run code in.
#[derive(Clone)]
pub struct Prepared {
    /// The packages in it, by name and version.
    pub packages: Vec<(String, String)>,
    /// The state runs start from.
    pub image: Image,
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
}

impl Error {
    /// What to do about it, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Packages(error) => error.hint().map(Into::into),
            Error::Sandbox(error) => error.hint(),
        }
    }
}

impl Interpreter {
    /// Compiles the interpreter, or maps what was compiled before.
    pub fn new(guest: Guest, index: BundledIndex, cache: Cache, options: Options) -> Result<Interpreter, Error> {
        let sandbox = Sandbox::new(guest, cache.clone(), options)?;
        Ok(Interpreter(Arc::new(Shared { sandbox, cache, index, images: Mutex::default() })))
    }

    /// The environment for some requirements: from memory, from the cache, or made now.
    pub fn prepare(&self, requirements: &[String]) -> Result<Prepared, Error> {
        let shared = &self.0;
        let requirements: Vec<&str> = requirements.iter().map(String::as_str).collect();
        let requirements = Requirements::parse(&requirements)?;
        let resolved = shared.index.resolve(&requirements)?;
        let installed = prims_packages::install(&shared.cache, &resolved)?;
        let mut images = shared.images.lock().unwrap_or_else(PoisonError::into_inner);
        images.clock += 1;
        let now = images.clock;
        if let Some((used, prepared)) = images.by_environment.get_mut(&installed.digest) {
            *used = now;
            return Ok(prepared.clone());
        }
        // Building happens outside the lock; two callers may both get here, and the cache lets only one of them build.
        drop(images);
        let preload = std::iter::once(DEFAULT_PRELOAD.to_owned()).chain(installed.top_level.iter().cloned());
        let environment = Environment {
            path: installed.path.clone(),
            digest: installed.digest.clone(),
            preload: preload.collect(),
        };
        let prepared =
            Prepared { packages: installed.packages.clone(), image: shared.sandbox.image(&environment)? };
        let mut images = shared.images.lock().unwrap_or_else(PoisonError::into_inner);
        if images.by_environment.len() >= MAPPED_IMAGES
            && let Some(oldest) = images.by_environment.iter().min_by_key(|(_, (used, _))| *used).map(|(k, _)| k.clone())
        {
            images.by_environment.remove(&oldest);
        }
        images.by_environment.insert(installed.digest.clone(), (now, prepared.clone()));
        Ok(prepared)
    }

    /// Prepares the environment and runs the code.
    pub fn run(&self, request: &RunRequest) -> Result<RunReport, Error> {
        let began = Instant::now();
        let prepared = self.prepare(&request.requirements)?;
        let prepare = began.elapsed();
        let outcome = prepared.image.run(&request.invocation)?;
        Ok(RunReport { outcome, packages: prepared.packages, prepare })
    }
}
