//! What can go wrong, and what to do about it.

use crate::path::PathProblem;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why the cache could not do its part. A broken entry is not an error: it is rebuilt and reported, see [`Broken`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder that was asked for cannot be written.
    #[error("cache folder `{}` cannot be written", path.display())]
    Unwritable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Somebody else could change what is in the folder.
    #[error("cache folder `{}` {found}, expected a folder of this user that nobody else can write", path.display())]
    Insecure {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        found: Insecure,
    },
    /// The disk, a quota or a limit on the size of files ended a write. Nothing was published.
    #[error("no space left to write `{}`", path.display())]
    NoSpace {
        /// What was being written.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The folder may not be written. Nothing was published.
    #[error("`{}` may not be written", path.display())]
    ReadOnly {
        /// What was being written.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Any other failure of a file operation. Nothing was published.
    #[error("cannot {what} `{}`", path.display())]
    Io {
        /// What was being done, as a verb.
        what: &'static str,
        /// What it was done to.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Somebody else has been building the entry for too long.
    #[error("waited {} s for another thread or process to build `{}`", waited.as_secs(), path.display())]
    Busy {
        /// The entry.
        path: PathBuf,
        /// How long.
        waited: Duration,
    },
    /// A builder gave a path that cannot be part of a folder entry.
    #[error("path `{}` {problem}", path.escape_debug())]
    EntryPath {
        /// The path as it was given, shortened when it is long.
        path: String,
        /// What is wrong with it.
        problem: PathProblem,
    },
    /// A kind is not 1 to 32 lower-case letters, digits and hyphens: a mistake in the program.
    #[error("kind of cache entry is `{0}`, expected 1 to 32 of a-z, 0-9 and `-`")]
    Kind(String),
    /// A builder gave more metadata than an entry may have.
    #[error("metadata of a cache entry is {len} bytes, expected at most {limit}")]
    Metadata {
        /// How much was given.
        len: usize,
        /// How much is allowed.
        limit: usize,
    },
}

impl Error {
    /// Sorts a failed write.
    pub(crate) fn write(path: &Path, source: io::Error) -> Error {
        Error::on("write", path)(source)
    }

    /// Sorts a failed file operation.
    pub(crate) fn on(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Error::NoSpace { path, source }
            }
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied if what != "read" => {
                Error::ReadOnly { path, source }
            }
            _ => Error::Io { what, path, source },
        }
    }

    /// What to do about it, where there is something to do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Error::Unwritable { .. } | Error::ReadOnly { .. } => {
                Some("set PRIMS_CACHE_DIR to a folder that can be written, for example on a mounted volume")
            }
            Error::Insecure {
                found: Insecure::Owner { .. },
                ..
            } => Some("set PRIMS_CACHE_DIR to a folder of the user who runs this, or change the owner of the folder"),
            Error::Insecure {
                found: Insecure::Mode { .. },
                ..
            } => Some("take away the others' permission (chmod go-w), or set PRIMS_CACHE_DIR to another folder"),
            Error::Insecure {
                found: Insecure::NotFolder,
                ..
            } => Some("set PRIMS_CACHE_DIR to a folder"),
            Error::NoSpace { .. } => Some("free some space, or set PRIMS_CACHE_DIR to a folder on a larger disk"),
            Error::Busy { .. } => Some("end the other process, or try again later"),
            _ => None,
        }
    }
}

/// Why a folder is not safe to keep code in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Insecure {
    /// It belongs to somebody else.
    #[error("belongs to user {owner}, this is user {user}")]
    Owner {
        /// Whose it is.
        owner: u32,
        /// Who runs this program.
        user: u32,
    },
    /// Its group or everybody may write it.
    #[error("can be written by others (mode {mode:o})")]
    Mode {
        /// Its permission bits.
        mode: u32,
    },
    /// It is something else.
    #[error("is not a folder")]
    NotFolder,
}

/// Why an entry was not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    /// A symbolic link, a folder in place of a file, a device.
    #[error("`{0}` is not what it was published as")]
    FileType(String),
    /// Somebody else's file.
    #[error("belongs to user {0}")]
    Owner(u32),
    /// A file others can write.
    #[error("can be written by others (mode {0:o})")]
    Mode(u32),
    /// Too short or too long.
    #[error("its length is {found} bytes, expected {expected}")]
    Length {
        /// Bytes there are.
        found: u64,
        /// Bytes there should be, as far as known.
        expected: u64,
    },
    /// It does not end as an entry does.
    #[error("it is not an entry of this cache")]
    Magic,
    /// It was written by another version of this program.
    #[error("its format has version {found}, expected {expected}")]
    Version {
        /// Its version.
        found: u32,
        /// This program's version.
        expected: u32,
    },
    /// It says it is something else.
    #[error("it was written as another entry")]
    Name,
    /// Its bytes are not those that were published.
    #[error("its digest differs")]
    Digest,
    /// A file of a folder entry is not what was published.
    #[error("`{0}` in it differs")]
    Content(String),
    /// A file of a folder entry is gone.
    #[error("`{0}` in it is missing")]
    Missing(String),
    /// A folder entry has something that was not published.
    #[error("`{0}` in it was not there before")]
    Extra(String),
    /// Reading it failed.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
}
