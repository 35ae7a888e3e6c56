//! Why there is no environment.

use crate::archive::ArchiveProblem;
use crate::problem::IndexProblem;
use crate::requirement::Refused;

/// Why requirements did not become an environment. Messages show no path of this machine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A requirement is not one, or not one that is served.
    #[error("requirement `{requirement}` {reason}")]
    Requirement {
        /// As it was given, shortened when it is long.
        requirement: String,
        /// What is wrong with it.
        reason: Refused,
    },
    /// More requirements than anybody needs.
    #[error("{found} requirements, expected at most {limit}")]
    TooManyRequirements {
        /// How many were given.
        found: usize,
        /// How many may be.
        limit: usize,
    },
    /// There is no such package.
    #[error("package `{name}`{} is not available", by(.required_by))]
    UnknownPackage {
        /// Its name.
        name: String,
        /// The package that needs it, if it was not asked for directly.
        required_by: Option<String>,
        /// What was probably meant.
        similar: Option<String>,
        /// What there is, as `name==version`.
        available: Vec<String>,
    },
    /// There is such a package, but not in a version that fits.
    #[error("package `{name}` is available in version {available}, expected `{name}{wanted}`{}", by(.required_by))]
    NoVersion {
        /// Its name.
        name: String,
        /// The version there is.
        available: String,
        /// What was asked for, as a version specifier.
        wanted: String,
        /// The package that asks for it, if it was not asked for directly.
        required_by: Option<String>,
    },
    /// A package has no such extra.
    #[error("package `{name}` has no extra `{extra}`")]
    UnknownExtra {
        /// Its name.
        name: String,
        /// The extra.
        extra: String,
        /// Those it has.
        available: Vec<String>,
    },
    /// A package is for another Python.
    #[error("package `{name}` needs Python {wanted}, this is Python {python}")]
    Python {
        /// Its name.
        name: String,
        /// What it needs, as a version specifier.
        wanted: String,
        /// This one's version.
        python: String,
    },
    /// A wheel is not what its index says it is.
    #[error("wheel `{filename}` has sha256 {found}, expected {expected}")]
    DigestMismatch {
        /// Its file name.
        filename: String,
        /// Digest of the bytes there are.
        found: String,
        /// Digest there should be.
        expected: String,
    },
    /// A wheel cannot be used.
    #[error("wheel `{}` {problem}", filename.escape_debug())]
    BadWheel {
        /// Its file name.
        filename: String,
        /// What is wrong with it.
        problem: WheelProblem,
    },
    /// Two packages want different files in the same place.
    #[error("packages `{first}` and `{second}` both bring `{path}`, with different content")]
    Clash {
        /// The place.
        path: String,
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// All packages together are more than an environment may be.
    #[error("the packages are {found} {unit} when unpacked, expected at most {limit}")]
    TooLarge {
        /// How much they are.
        found: u64,
        /// How much they may be.
        limit: u64,
        /// Bytes or files.
        unit: &'static str,
    },
    /// An index, or a file on it, could not be used.
    #[error(transparent)]
    Index(#[from] IndexProblem),
    /// The cache failed.
    #[error(transparent)]
    Cache(#[from] prims_cache::Error),
}

/// Why a wheel cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WheelProblem {
    /// Its name is not `name-version(-build)?-python-abi-platform.whl`.
    #[error("is not named as wheels are: {0}")]
    Filename(&'static str),
    /// It is for another Python or platform.
    #[error("is for `{found}`, expected one for {expected}")]
    Tag {
        /// Its tags.
        found: String,
        /// The target.
        expected: String,
    },
    /// It is not an archive of the one form that is taken.
    #[error("is not a sound archive: {0}")]
    Archive(#[from] ArchiveProblem),
    /// A file that every wheel has is missing.
    #[error("has no `{0}`")]
    Missing(String),
    /// One of its own descriptions does not read.
    #[error("has a broken `{file}`: {reason}")]
    Description {
        /// The file.
        file: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// What it says about itself is not what its file name says.
    #[error("says its {what} is `{found}`, expected `{expected}`")]
    Identity {
        /// Name or version.
        what: &'static str,
        /// What it says.
        found: String,
        /// What its file name says.
        expected: String,
    },
    /// A file is not what `RECORD` says.
    #[error("has a file `{0}` that differs from its RECORD")]
    Content(String),
    /// A file is not in `RECORD`.
    #[error("has a file `{0}` that is not in its RECORD")]
    Unrecorded(String),
    /// A file in `RECORD` is not there.
    #[error("has no file `{0}`, which is in its RECORD")]
    NotThere(String),
    /// A file may not be where it wants to be.
    #[error("has a file `{path}`, which {reason}")]
    Path {
        /// Its path.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

fn by(required_by: &Option<String>) -> String {
    required_by
        .as_ref()
        .map_or_else(String::new, |name| format!(" (needed by `{name}`)"))
}

impl Error {
    /// What to do about it, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::UnknownPackage {
                required_by: Some(package),
                ..
            }
            | Error::NoVersion {
                required_by: Some(package),
                ..
            } => Some(format!("leave `{package}` out: what it needs is not available")),
            Error::UnknownPackage {
                similar: Some(similar), ..
            } => Some(format!("did you mean `{similar}`?")),
            Error::UnknownPackage { available, .. } if available.is_empty() => {
                Some("no packages are available beside the standard library".into())
            }
            Error::UnknownPackage { available, .. } => Some(format!("available: {}", available.join(", "))),
            Error::NoVersion { name, available, .. } => Some(format!("ask for `{name}` or `{name}=={available}`")),
            Error::UnknownExtra { available, .. } if available.is_empty() => Some("leave the extra out".into()),
            Error::UnknownExtra { available, .. } => Some(format!("extras it has: {}", available.join(", "))),
            Error::Requirement { .. } => {
                Some("give a name, or a name with versions, for example `numpy` or `numpy>=2,<3`".into())
            }
            Error::Index(problem) => problem.hint(),
            Error::Cache(error) => error.hint().map(str::to_owned),
            _ => None,
        }
    }
}
