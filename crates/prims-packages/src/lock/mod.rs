//! Locks as files and as text for people.

mod pylock;
mod tree;

use crate::catalog::Lock;
use crate::error::Error;
use crate::name::Name;
use crate::target::Target;
use std::path::Path;

impl Lock {
    /// The lock as a `pylock.toml` (PEP 751), always the same bytes for the same lock. Wheels that are bundled have neither URL nor
    /// path there and are named in the table `[tool.prims-wasm]`.
    ///
    /// # Errors
    /// [`Error::LockFile`] when a wheel has no hash, which the format does not allow.
    pub fn to_pylock(&self, target: &Target) -> Result<String, Error> {
        pylock::write(self, target).map_err(Error::LockFile)
    }

    /// Reads a `pylock.toml`, also one that another tool wrote: of a package's wheels, the one that fits best is taken.
    ///
    /// `folder` is where the file lies. Wheels it names by their path are looked for there; without a folder they are refused, which
    /// is right for a text that comes from a client.
    ///
    /// # Errors
    /// [`Error::LockFile`] when it does not read, is for another target, locks a package to something that is no wheel, or has no
    /// wheel that fits.
    pub fn from_pylock(text: &str, target: &Target, folder: Option<&Path>) -> Result<Lock, Error> {
        pylock::read(text, target, folder).map_err(Error::LockFile)
    }

    /// The packages as a tree of who needs whom, from those that were asked for. What was shown before is marked `(*)` and not
    /// shown again.
    pub fn tree(&self) -> String {
        tree::tree(self)
    }

    /// Why a package is there: the shortest way to it from each that was asked for. `None` when it is not there.
    pub fn why(&self, name: &Name) -> Option<String> {
        tree::why(self, name)
    }
}
