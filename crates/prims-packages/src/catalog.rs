//! What indexes offer, and what was chosen from it: the seam between where packages come from and who decides which are taken.

use crate::error::Error;
use crate::filename::WheelFilename;
use crate::metadata::Metadata;
use crate::name::Name;
use pep440_rs::{Version, VersionSpecifiers};
use std::path::PathBuf;
use std::sync::Arc;
use url::Url;

/// One wheel as an index lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its file name, read.
    pub filename: WheelFilename,
    /// Where its bytes are.
    pub place: Place,
    /// Its SHA-256 in lower-case hexadecimal, if the index says it.
    pub sha256: Option<String>,
    /// Its size in bytes, if the index says it.
    pub size: Option<u64>,
    /// The versions of Python it is for, if the index says it (`data-requires-python`).
    pub requires_python: Option<VersionSpecifiers>,
    /// Why it should no longer be chosen (PEP 592); the reason may be empty.
    pub yanked: Option<String>,
    /// Whether the index serves its `METADATA` beside it (PEP 658).
    pub metadata: Option<MetadataFile>,
}

/// `METADATA` served beside a wheel (PEP 658, PEP 714).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataFile {
    /// Its SHA-256 in lower-case hexadecimal, if the index says it.
    pub sha256: Option<String>,
}

/// Where the bytes of a wheel are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In this program.
    Bundled,
    /// In a local folder.
    File(PathBuf),
    /// On an index.
    Url(Url),
}

/// Everything the first index that knows a project says about it.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// What messages call the index. Never contains a password.
    pub index: String,
    /// Its wheels, in the order they are listed, for whatever platform.
    pub wheels: Vec<Offer>,
    /// Versions for which there is something else than a wheel: source archives, eggs, installers.
    pub other: Vec<Version>,
}

/// Where packages come from. All methods may block and may be called from several threads.
pub trait Source: Send + Sync {
    /// What the first index that knows the project lists; `None` when none knows it.
    ///
    /// # Errors
    /// When an index cannot be asked: an index that fails is not one that does not know.
    fn listing(&self, name: &Name) -> Result<Option<Arc<Listing>>, Error>;

    /// `METADATA` of a wheel, from wherever it costs least: the cache, beside the wheel, a part of the wheel, the wheel.
    ///
    /// # Errors
    /// When it cannot be read, or is not that of the wheel.
    fn metadata(&self, offer: &Offer) -> Result<Arc<Metadata>, Error>;

    /// Whether a wheel with native code that was not built for this guest can run in it all the same, or why not.
    ///
    /// # Errors
    /// When the wheel cannot be fetched.
    fn native_fits(&self, offer: &Offer) -> Result<Result<(), String>, Error>;

    /// Says that these will be asked for soon, so that they can be fetched meanwhile.
    fn expect(&self, _names: &[Name]) {}

    /// Says that nothing more will be asked for until the next [`listing`](Source::listing): what was expected and has not been fetched
    /// yet need not be.
    fn settled(&self) {}

    /// Names to suggest when a project is not known; as far as they can be known without asking an index.
    fn known_names(&self) -> Vec<Name>;

    /// Whether there is any index, or only what is bundled.
    fn has_indexes(&self) -> bool {
        true
    }

    /// What is bundled: natively built packages and their versions.
    fn bundled(&self) -> Vec<(Name, Version)>;
}

/// One package of a [`Lock`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedWheel {
    /// The package.
    pub name: Name,
    /// Its version.
    pub version: Version,
    /// The wheel's file name.
    pub filename: String,
    /// Where its bytes are.
    pub place: Place,
    /// What messages call the index it is from.
    pub index: String,
    /// The wheel's SHA-256 in lower-case hexadecimal. Bytes that differ are never used. Empty where the index gives none, until
    /// [`Indexes::download`](crate::Indexes::download) has computed it.
    pub sha256: String,
    /// The wheel's size in bytes, if known.
    pub size: Option<u64>,
    /// The versions of Python it says it is for.
    pub requires_python: Option<VersionSpecifiers>,
    /// The packages of the lock it needs, sorted.
    pub dependencies: Vec<Name>,
}

/// Exactly which wheels satisfy some requirements: the same requirements and the same indexes give the same lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// The wheels, sorted by name.
    pub wheels: Vec<LockedWheel>,
    /// The packages that were asked for, sorted.
    pub roots: Vec<Name>,
}
