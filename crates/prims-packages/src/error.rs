//! Why there is no environment.

use crate::archive::ArchiveProblem;
use crate::problem::IndexProblem;
use crate::requirement::{Refused, shorten};

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
    /// No index knows such a package, or it is not bundled and there is no index.
    #[error("package `{name}`{} {}", by(.required_by), missing(.bundled.is_some()))]
    NotFound {
        /// Its name.
        name: String,
        /// What leads to it from what was asked for, as `a → b`, if it was not asked for directly; the last needs it.
        required_by: Option<String>,
        /// What was probably meant, the nearest first.
        similar: Vec<String>,
        /// All there is, as `name==version`, if no index is set.
        bundled: Option<Vec<String>>,
    },
    /// The system has no thread for it.
    #[error("a thread cannot be started: {0}")]
    Thread(std::io::ErrorKind),
    /// There is such a package, but not in a version that fits.
    #[error("package `{name}` is available in version {available}, expected `{name}{wanted}`{}", by(.required_by))]
    NoVersion {
        /// Its name.
        name: String,
        /// The version there is.
        available: String,
        /// What was asked for, as a version specifier.
        wanted: String,
        /// What leads to it from what was asked for, as `a → b`, if it was not asked for directly; the last needs it.
        required_by: Option<String>,
    },
    /// No version of a package fits, though there are some.
    #[error("no version of package `{name}` fits `{name}{wanted}`{}: there are {available}", by(.required_by))]
    NoMatchingVersion {
        /// Its name.
        name: String,
        /// What was asked for, as a version specifier.
        wanted: String,
        /// What leads to it from what was asked for, as `a → b`, if it was not asked for directly; the last needs it.
        required_by: Option<String>,
        /// The versions there are, shortened when they are many.
        available: String,
        /// The version that would be chosen if any would do.
        newest: String,
    },
    /// There are versions that would fit, but none has a wheel that can be used here.
    #[error("package `{name}{wanted}`{} {reason}", by(.required_by))]
    NoWheel {
        /// Its name.
        name: String,
        /// What was asked for, as a version specifier.
        wanted: String,
        /// What leads to it from what was asked for, as `a → b`, if it was not asked for directly; the last needs it.
        required_by: Option<String>,
        /// Why none can be used.
        reason: Box<NoWheel>,
        /// What could be used instead.
        instead: Option<String>,
    },
    /// The operator does not want a package.
    #[error("package `{name}`{} is excluded by the configuration", by(.required_by))]
    Excluded {
        /// Its name.
        name: String,
        /// What leads to it from what was asked for, as `a → b`, if it was not asked for directly; the last needs it.
        required_by: Option<String>,
    },
    /// The requirements contradict each other, or what they need does.
    #[error("{argument}")]
    Conflict {
        /// Which facts do not go together.
        argument: String,
        /// The nearest change that helps, if one was found.
        fix: Option<String>,
    },
    /// Choosing versions takes more than it may.
    #[error("choosing versions took more than {limit} {unit}")]
    TooComplex {
        /// How much it may take.
        limit: u64,
        /// Of what.
        unit: &'static str,
    },
    /// Hashes are required, and one is missing.
    #[error("package `{name}` has no hash among the requirements, and hashes are required")]
    MissingHash {
        /// Its name.
        name: String,
    },
    /// A file of requirements does not read.
    #[error("{file}, line {line}: {problem}")]
    RequirementsFile {
        /// Its name, without its folder.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        problem: FileProblem,
    },
    /// The block at the top of a script that says what it needs does not read (PEP 723).
    #[error("the script's metadata {0}")]
    Script(ScriptProblem),
    /// A `pylock.toml` does not read, or locks what cannot be used here.
    #[error("the lock file {0}")]
    LockFile(LockProblem),
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

/// Why no wheel of a package can be used, though there are versions that fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoWheel {
    /// No wheel at all.
    #[error("has only source archives, and nothing is built here")]
    SourceOnly,
    /// Native code for something else.
    #[error("has only wheels with native code for other platforms")]
    OtherPlatforms,
    /// Tags or `Requires-Python` of another Python.
    #[error("needs another Python: {wanted}, this is Python {python}")]
    OtherPython {
        /// What it is for, as a version specifier or a tag.
        wanted: String,
        /// This one's version.
        python: String,
    },
    /// Native code that was built for something that resembles the guest.
    #[error("has native code that does not run here: {0}")]
    Native(String),
    /// It can be read, but needs what cannot be given.
    #[error("cannot be used: {0}")]
    Metadata(String),
    /// Hashes are given and none is that of a wheel.
    #[error("has no wheel with the hash that is required")]
    Hash,
    /// Only versions nobody asked for by name.
    #[error("has only pre-releases")]
    PreRelease,
    /// Withdrawn by its authors.
    #[error("is withdrawn (yanked){}", colon(.0))]
    Yanked(String),
}

impl NoWheel {
    /// How near a miss it was; the greatest is the nearest, and says most about what to do.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            NoWheel::SourceOnly => 0,
            NoWheel::OtherPlatforms => 1,
            NoWheel::OtherPython { .. } => 2,
            NoWheel::Native(_) => 3,
            NoWheel::Metadata(_) => 4,
            NoWheel::PreRelease => 5,
            NoWheel::Yanked(_) => 6,
            NoWheel::Hash => 7,
        }
    }
}

/// What is wrong in a file of requirements.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileProblem {
    /// It is too long.
    #[error("it is {found} bytes long, expected at most {limit}")]
    TooLong {
        /// Bytes found.
        found: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// It is not text.
    #[error("it is not UTF-8")]
    NotText,
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(std::io::ErrorKind),
    /// An option that is not taken.
    #[error("option `{0}` is not supported, expected `-r`, `-c`, `--hash` or `--require-hashes`")]
    Option(String),
    /// It names a file that may not be read.
    #[error("`{0}` is not below the folder of the first file")]
    Outside(String),
    /// Files name files too deeply, or each other.
    #[error("files are nested deeper than {0}")]
    Depth(usize),
    /// A hash that is none, or not SHA-256.
    #[error("`{0}` is not a hash, expected `sha256:` and 64 hexadecimal digits")]
    Hash(String),
    /// Too many requirements.
    #[error("more than {0} requirements")]
    TooMany(usize),
    /// A requirement that is refused.
    #[error("requirement `{requirement}` {reason}")]
    Requirement {
        /// As it is written, shortened when it is long.
        requirement: String,
        /// What is wrong with it.
        reason: Refused,
    },
}

/// What is wrong with the metadata of a script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptProblem {
    /// Two blocks; nobody could say which one counts.
    #[error("is there {0} times, expected one block `# /// script`")]
    Several(usize),
    /// It is too long.
    #[error("is {found} bytes long, expected at most {limit}")]
    TooLong {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// It is not TOML, or not of this form.
    #[error("does not read: {0}")]
    Toml(String),
    /// It is for another Python.
    #[error("needs Python {wanted}, this is Python {python}")]
    Python {
        /// What it needs, as a version specifier.
        wanted: String,
        /// This one's version.
        python: String,
    },
}

/// What is wrong with a lock file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LockProblem {
    /// It is too long.
    #[error("is {found} bytes long, expected at most {limit}")]
    TooLong {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// It is not TOML, or not of this form.
    #[error("does not read: {0}")]
    Toml(String),
    /// Another version of the format.
    #[error("has version `{0}`, expected 1.x")]
    Version(String),
    /// It is for another Python or platform.
    #[error("is for {found}, this is {target}")]
    Target {
        /// What it is for.
        found: String,
        /// What this is.
        target: String,
    },
    /// Too many packages, wheels or the like.
    #[error("has {found} {unit}, expected at most {limit}")]
    TooMany {
        /// How many.
        found: usize,
        /// How many there may be.
        limit: usize,
        /// Of what.
        unit: &'static str,
    },
    /// A package that is not a wheel.
    #[error("locks package `{name}` to {kind}, expected wheels")]
    NotAWheel {
        /// Its name.
        name: String,
        /// What it is locked to.
        kind: &'static str,
    },
    /// A package without a wheel for this target.
    #[error("has no wheel of package `{0}` that can be used here")]
    NoWheel(String),
    /// A package twice for the same target.
    #[error("has package `{0}` twice")]
    Twice(String),
    /// A part of a package's entry is wrong.
    #[error("is wrong about package `{name}`: {what}")]
    Package {
        /// Its name.
        name: String,
        /// What is wrong.
        what: String,
    },
}

/// What is said of a package that nobody has.
pub(crate) fn missing(is_bundled_only: bool) -> &'static str {
    if is_bundled_only {
        "is not available"
    } else {
        "does not exist"
    }
}

/// What to do when something that is needed cannot be had.
fn leave_out(path: &str) -> String {
    let asked = path.split(" → ").next().unwrap_or(path);
    format!("leave `{asked}` out: what it needs is not available")
}

/// `a`, `b` or `c`, in backticks.
fn or(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match &quoted[..] {
        [front @ .., last] if !front.is_empty() => format!("{} or {last}", front.join(", ")),
        all => all.concat(),
    }
}

fn colon(reason: &str) -> String {
    if reason.is_empty() {
        String::new()
    } else {
        format!(": {}", shorten(reason))
    }
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
    /// The package that cannot be had, where one package is the reason.
    pub fn package(&self) -> Option<&str> {
        match self {
            Error::NotFound { name, .. }
            | Error::NoVersion { name, .. }
            | Error::NoMatchingVersion { name, .. }
            | Error::NoWheel { name, .. }
            | Error::Excluded { name, .. } => Some(name),
            _ => None,
        }
    }

    /// What to do about it, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::NotFound {
                required_by: Some(package),
                ..
            }
            | Error::NoVersion {
                required_by: Some(package),
                ..
            } => Some(leave_out(package)),
            Error::NotFound { similar, .. } if !similar.is_empty() => Some(format!("did you mean {}?", or(similar))),
            Error::NotFound { bundled: None, .. } => {
                Some("names are those of the package index, which may differ from what is imported".into())
            }
            Error::NotFound {
                bundled: Some(bundled), ..
            } if bundled.is_empty() => Some("no packages are available beside the standard library".into()),
            Error::NotFound {
                bundled: Some(bundled), ..
            } => Some(format!("no index is set; available: {}", bundled.join(", "))),
            Error::Conflict { fix, .. } => fix.clone(),
            Error::NoWheel {
                instead: Some(instead),
                required_by,
                ..
            } => {
                let leave_out = required_by.iter().map(|path| leave_out(path));
                Some(leave_out.chain([instead.clone()]).collect::<Vec<_>>().join("; "))
            }
            Error::NoWheel { reason, name, .. } if **reason == NoWheel::PreRelease => {
                Some(format!("to take a pre-release, name one: `{name}==VERSION`"))
            }
            Error::NoWheel { reason, name, .. } if matches!(**reason, NoWheel::Yanked(_)) => {
                Some(format!("to take it all the same, pin it: `{name}==VERSION`"))
            }
            Error::NoWheel {
                required_by: Some(package),
                ..
            }
            | Error::NoMatchingVersion {
                required_by: Some(package),
                ..
            }
            | Error::Excluded {
                required_by: Some(package),
                ..
            } => Some(leave_out(package)),
            Error::NoMatchingVersion { name, newest, .. } => {
                Some(format!("the newest that can be used is `{name}=={newest}`"))
            }
            Error::Excluded { .. } => Some("leave it out".into()),
            Error::TooComplex { .. } => Some("pin some of the packages, for example to the newest versions".into()),
            Error::MissingHash { .. } => {
                Some("give `name==version --hash=sha256:…` for every package that is needed".into())
            }
            Error::LockFile(LockProblem::NotAWheel { .. } | LockProblem::NoWheel(_) | LockProblem::Target { .. }) => {
                Some("lock the requirements again, with this program".into())
            }
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
