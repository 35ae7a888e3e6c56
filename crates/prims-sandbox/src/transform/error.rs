//! Why a module cannot be transformed.

use wasm_encoder::reencode;

/// Why a module cannot be transformed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransformError {
    /// More bytes than are looked at.
    #[error("the module has {found} bytes, at most {limit} are accepted")]
    TooLarge {
        /// Bytes given.
        found: usize,
        /// Bytes accepted.
        limit: usize,
    },
    /// Something is there more often than is accepted.
    #[error("the module has {found} {what}, at most {limit} are accepted")]
    TooMany {
        /// What, in the plural.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many are accepted.
        limit: usize,
    },
    /// Not a valid module of the features that are offered.
    #[error("not a valid WebAssembly module with the features offered here: {0}")]
    Invalid(String),
    /// An import that a module of this role cannot have.
    #[error("the module imports the {kind} {module}.{name}, which a {role} module cannot")]
    Import {
        /// Module part of its name.
        module: String,
        /// Field part of its name.
        name: String,
        /// What it is.
        kind: &'static str,
        /// `main` or `side`.
        role: &'static str,
    },
    /// A name that only this transform may use.
    #[error("the module uses the name {0}, which is reserved")]
    Reserved(String),
    /// A side module that brings its own memory or table.
    #[error("the side module defines a {0}, expected it to import the main module's")]
    OwnDefinition(&'static str),
    /// A main module without something the host needs.
    #[error("the main module has no {0}")]
    Missing(&'static str),
    /// The `dylink.0` section of a side module is missing or makes no sense.
    #[error("not a loadable side module: {0}")]
    Dylink(String),
    /// A mutable global whose value cannot be saved.
    #[error("the mutable global {index} has type {ty}, expected a number of at most 64 bits")]
    GlobalType {
        /// Its index in the original module.
        index: u32,
        /// Its type.
        ty: String,
    },
}

impl TransformError {
    /// `error` says where the module is invalid.
    pub(super) fn invalid(error: impl std::fmt::Display) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl From<wasmparser::Error> for TransformError {
    fn from(error: wasmparser::Error) -> Self {
        Self::invalid(error)
    }
}

impl From<reencode::Error> for TransformError {
    fn from(error: reencode::Error) -> Self {
        Self::invalid(error)
    }
}
