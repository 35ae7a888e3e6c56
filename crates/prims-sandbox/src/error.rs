//! What the host may fail to do. What a guest does is never an error.

/// Why the sandbox could not do its part.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The engine refused its configuration or a module.
    #[error("the engine failed: {what}")]
    Engine {
        /// What was being done.
        what: &'static str,
        /// What the engine said.
        #[source]
        source: wasmtime::Error,
    },
    /// A module cannot be used.
    #[error("the module cannot be used: {reason}")]
    Module {
        /// What is wrong with it.
        reason: String,
    },
    /// The interpreter did not start while an image was built.
    #[error("the interpreter did not start: {reason}")]
    Start {
        /// What it wrote or how it ended.
        reason: String,
    },
    /// The cache failed.
    #[error("the cache failed")]
    Cache(#[from] prims_cache::Error),
    /// A file operation of the host failed.
    #[error("{what}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A limit is above its ceiling.
    #[error(transparent)]
    Limit(#[from] crate::limits::AboveCeiling),
    /// A saved state cannot be used.
    #[error("the session's state cannot be used: {0}")]
    State(#[from] crate::state::StateProblem),
    /// A request that cannot be carried out as it is.
    #[error("{0}")]
    Invalid(String),
}

impl Error {
    pub(crate) fn engine(what: &'static str) -> impl FnOnce(wasmtime::Error) -> Error {
        move |source| Error::Engine { what, source }
    }

    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
        let what = what.into();
        move |source| Error::Io { what, source }
    }

    /// What to do about it, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Cache(error) => error.hint().map(Into::into),
            Error::State(_) => Some("start the session over; its files are still there".into()),
            Error::Limit(_) => Some("ask for less, or have the operator raise the ceiling".into()),
            _ => None,
        }
    }
}
