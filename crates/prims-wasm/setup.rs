//! From the embedded guest to an interpreter that can run code.

use crate::{console, guest};
use prims_cache::Cache;
use prims_interpreter::Interpreter;
use prims_packages::BundledIndex;
use prims_sandbox::{Guest, Options, ProgressSink};
use std::path::Path;
use std::sync::Arc;

use crate::commands::Error;

/// An interpreter on the embedded guest and wheels. The cache lies in `cache_dir`, else where the environment says, else in the
/// user's cache folder.
pub fn interpreter(cache_dir: Option<&Path>, progress: Option<ProgressSink>) -> Result<Interpreter, Error> {
    let cache = Cache::open(cache_dir)?;
    if let Some(note) = cache.location().note() {
        console::note(&note);
    }
    let options = Options { progress, ..Options::default() };
    let guest = Guest {
        module_digest: guest::module_digest().to_owned(),
        module: Arc::new(|| guest::module().map_err(std::io::Error::other)),
        stdlib: guest::stdlib(&cache)?,
        stdlib_digest: guest::stdlib_digest().to_owned(),
        skeleton: guest::skeleton(&cache)?,
    };
    let index = BundledIndex::new(&guest::wheels()).map_err(prims_interpreter::Error::from)?;
    Ok(Interpreter::new(guest, index, cache, options)?)
}
