//! From the embedded guest to an interpreter that can run code.

use crate::server::{Deferred, progress_sink};
use crate::{console, guest};
use prims_cache::Cache;
use prims_interpreter::Interpreter;
use prims_packages::BundledIndex;
use prims_sandbox::{Guest, Options, ProgressSink, SharedFolder};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::commands::Error;

/// An interpreter on the embedded guest and wheels. The cache lies in `cache_dir`, else where the environment says, else in the
/// user's cache folder.
pub fn interpreter(cache_dir: Option<&Path>, progress: Option<ProgressSink>) -> Result<Interpreter, Error> {
    interpreter_with(
        cache_dir,
        Options {
            progress,
            ..Options::default()
        },
    )
}

/// The same with other options.
pub fn interpreter_with(cache_dir: Option<&Path>, options: Options) -> Result<Interpreter, Error> {
    on_cache(Cache::open(cache_dir)?, options)
}

fn on_cache(cache: Cache, options: Options) -> Result<Interpreter, Error> {
    let guest = embedded_guest(&cache);
    let index = BundledIndex::new(&guest::wheels()).map_err(prims_interpreter::Error::from)?;
    Ok(Interpreter::new(guest, index, cache, options)?)
}

/// The embedded guest. Its folders are unpacked into the cache when a run first looks into them.
pub fn embedded_guest(cache: &Cache) -> Guest {
    Guest {
        module_digest: guest::module_digest().to_owned(),
        module: Arc::new(|| guest::module().map_err(std::io::Error::other)),
        stdlib: unpacked(cache, guest::stdlib),
        stdlib_digest: guest::stdlib_digest().to_owned(),
        skeleton: unpacked(cache, guest::skeleton),
    }
}

/// The same for a command: progress is shown, and so is where the cache lies if that is not where one would look.
pub(crate) fn for_command(cache_dir: Option<&Path>) -> Result<Interpreter, Error> {
    let cache = Cache::open(cache_dir)?;
    if let Some(note) = cache.location().note() {
        console::note(&note);
    }
    on_cache(
        cache,
        Options {
            progress: Some(console::progress()),
            ..Options::default()
        },
    )
}

/// The same for a server: made when it is first needed, with progress told to the call that waits. A cache that cannot be used is an error now.
pub(crate) fn for_server(cache_dir: Option<&Path>) -> Result<Deferred, Error> {
    let cache = Cache::open(cache_dir)?;
    if let Some(note) = cache.location().note() {
        console::note(&note);
    }
    Ok(Deferred::new(move || {
        let options = Options {
            progress: Some(progress_sink()),
            ..Options::default()
        };
        on_cache(cache.clone(), options)
    }))
}

/// A part of the guest that is unpacked into the cache, or verified there, when it is first used.
fn unpacked(cache: &Cache, unpack: fn(&Cache) -> Result<PathBuf, guest::Error>) -> SharedFolder {
    let cache = cache.clone();
    SharedFolder::new(move || unpack(&cache).map_err(std::io::Error::other))
}
