//! What happens meanwhile, for whoever shows it.

use std::fmt;
use std::sync::Arc;

/// Something that happened while packages were found and installed. Events of several packages come mixed, from several threads.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The versions of a package are looked up.
    Resolving {
        /// The package.
        name: String,
    },
    /// An index could not be asked; what is used instead may be outdated.
    Stale {
        /// The package.
        name: String,
        /// What messages call the index.
        index: String,
        /// Why it could not be asked.
        reason: String,
    },
    /// A wheel is coming. The first event of a wheel has no bytes.
    Fetching {
        /// Its file name.
        name: String,
        /// Bytes that came so far.
        bytes: u64,
        /// Bytes it has, if that is known.
        total: Option<u64>,
    },
    /// A wheel is there, verified.
    Fetched {
        /// Its file name.
        name: String,
        /// Bytes it has.
        bytes: u64,
    },
    /// A wheel is unpacked.
    Unpacking {
        /// Its file name.
        name: String,
    },
    /// An environment is there.
    Done {
        /// Packages in it.
        packages: usize,
    },
}

/// Takes events. It is called from any thread and should return soon.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(Event) + Send + Sync>);

impl Progress {
    /// Calls this with every event.
    pub fn new(sink: impl Fn(Event) + Send + Sync + 'static) -> Progress {
        Progress(Arc::new(sink))
    }

    pub(crate) fn report(&self, event: Event) {
        (self.0)(event);
    }
}

impl Default for Progress {
    /// Nobody looks.
    fn default() -> Progress {
        Progress::new(|_| ())
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}
