//! From wheels to a folder packages can be imported from.

use crate::catalog::{Lock, LockedWheel, Offer, Place};
use crate::error::Error;
use crate::filename::{WheelFilename, same_release};
use crate::index::{Resolved, ResolvedWheel};
use crate::indexes::Indexes;
use crate::metadata::Metadata;
use crate::progress::Event;
use crate::remote_metadata::verified;
use crate::unpack::{Failure, Packed, unpack};
use crate::wheel::Wheel;
use prims_cache::{Cache, DirEntry, Key};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

/// Changes with what is made from the same wheels.
const LAYOUT: u32 = 3;

/// Packages, unpacked. The folder stays until this and all clones are dropped; after that it may be cleaned away.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The folder packages are imported from.
    pub path: PathBuf,
    /// The packages, by name and version, sorted by name.
    pub packages: Vec<(String, String)>,
    /// Names that can be imported, sorted.
    pub top_level: Vec<String>,
    /// The same by package: the names each of them brings, sorted. `beautifulsoup4` brings `bs4`.
    pub modules: BTreeMap<String, Vec<String>>,
    /// Names the content uniquely: hexadecimal digits.
    pub digest: String,
    _entry: DirEntry,
}

/// What is remembered with the folder.
#[derive(Default, Serialize, Deserialize)]
struct Record {
    modules: BTreeMap<String, Vec<String>>,
}

impl Packed for ResolvedWheel {
    fn filename(&self) -> &WheelFilename {
        self.parsed()
    }

    fn file(&self) -> &str {
        ResolvedWheel::filename(self)
    }

    fn sha256(&self) -> &str {
        ResolvedWheel::sha256(self)
    }

    fn bytes(&self) -> Result<Cow<'_, [u8]>, Error> {
        ResolvedWheel::bytes(self).map(Cow::Borrowed)
    }
}

/// A wheel of a lock.
struct Locked<'a> {
    indexes: &'a Indexes,
    wheel: &'a LockedWheel,
    /// The same as an index would offer it.
    offer: Offer,
}

impl<'a> Locked<'a> {
    fn new(indexes: &'a Indexes, wheel: &'a LockedWheel) -> Result<Locked<'a>, Error> {
        let filename = WheelFilename::parse(&wheel.filename).and_then(|filename| {
            let expected = (&wheel.name, &wheel.version);
            same_release((&filename.name, &filename.version), expected).map(|()| filename)
        });
        let bad = |problem| Error::BadWheel {
            filename: wheel.filename.clone(),
            problem,
        };
        let offer = Offer {
            filename: filename.map_err(bad)?,
            place: wheel.place.clone(),
            sha256: Some(wheel.sha256.clone()),
            size: wheel.size,
            requires_python: None,
            yanked: None,
            metadata: None,
        };
        Ok(Locked { indexes, wheel, offer })
    }
}

impl Packed for Locked<'_> {
    fn filename(&self) -> &WheelFilename {
        &self.offer.filename
    }

    fn file(&self) -> &str {
        &self.wheel.filename
    }

    fn sha256(&self) -> &str {
        &self.wheel.sha256
    }

    fn bytes(&self) -> Result<Cow<'_, [u8]>, Error> {
        let bytes = self.indexes.wheel_bytes(&self.offer)?;
        if self.wheel.place == Place::Bundled {
            verified(&bytes, Some(self.sha256()), self.file())?;
        }
        Ok(Cow::Owned(bytes))
    }

    fn inspect(&self, inside: &Wheel) -> Result<(), Failure> {
        let name = self.wheel.filename.clone();
        self.indexes.progress().report(Event::Unpacking { name });
        let text = inside.metadata_text().map_err(Failure::Wheel)?;
        Metadata::of(self.filename(), &text).map_err(Failure::Wheel)?;
        let compared = self.indexes.compare_metadata(self.sha256(), self.file(), &text);
        compared.map_err(Failure::Other)
    }
}

/// Unpacks wheels into the cache, or finds them there. No code of a package runs.
///
/// # Errors
/// [`Error::DigestMismatch`], [`Error::BadWheel`], [`Error::Clash`], [`Error::TooLarge`], [`Error::Cache`]; then there is no
/// environment, not half of one.
pub fn install(cache: &Cache, resolved: &Resolved) -> Result<Environment, Error> {
    environment(cache, &resolved.wheels, || Ok(()))
}

impl Indexes {
    /// The bytes of a wheel, compared with its digest: from the cache, a folder, this program, or the server it is on.
    ///
    /// # Errors
    /// As [`Indexes::download`].
    pub fn bytes(&self, wheel: &LockedWheel) -> Result<Vec<u8>, Error> {
        Ok(Locked::new(self, wheel)?.bytes()?.into_owned())
    }

    /// Makes the environment of a lock, or finds it in the cache; then no index is asked. No code of a package runs.
    ///
    /// # Errors
    /// As [`install`], and [`Indexes::download`]. [`IndexProblem::MetadataDiffers`](crate::IndexProblem::MetadataDiffers) when a wheel
    /// is not what it was chosen for. Then there is no environment, not half of one.
    pub fn install(&self, lock: &Lock) -> Result<Environment, Error> {
        let has_digests = lock.wheels.iter().all(|wheel| !wheel.sha256.is_empty());
        // Without all digests the environment has no name yet.
        let lock = if has_digests {
            Cow::Borrowed(lock)
        } else {
            Cow::Owned(self.download(lock)?)
        };
        let mut wheels = lock
            .wheels
            .iter()
            .map(|wheel| Locked::new(self, wheel))
            .collect::<Result<Vec<_>, _>>()?;
        wheels.sort_by(|a, b| a.filename().name.cmp(&b.filename().name));
        let cache = match self.budget().remaining() {
            Ok(left) => self.cache().clone().with_patience(left),
            // What is there may still be used.
            Err(_) => self.cache().clone().with_patience(Duration::ZERO),
        };
        let environment = environment(&cache, &wheels, || self.download(&lock).map(|_| ()))?;
        let packages = environment.packages.len();
        self.progress().report(Event::Done { packages });
        Ok(environment)
    }
}

/// Finds the environment of some wheels, sorted by name, or makes it: `fetch` is called first.
fn environment<W: Packed>(
    cache: &Cache,
    wheels: &[W],
    fetch: impl FnOnce() -> Result<(), Error>,
) -> Result<Environment, Error> {
    let key = Key::new("environment").with("layout", &LAYOUT.to_le_bytes());
    let key = wheels
        .iter()
        .fold(key, |key, wheel| key.with("wheel", wheel.sha256().as_bytes()));
    let entry = cache.dir("environment", &key, |writer| {
        fetch()?;
        let record = Record {
            modules: unpack(wheels, writer)?,
        };
        writer.set_metadata(serde_json::to_vec(&record).unwrap_or_default());
        Ok::<(), Error>(())
    })?;
    let Record { modules } = serde_json::from_slice(entry.metadata()).unwrap_or_default();
    let top_level: BTreeSet<&String> = modules.values().flatten().collect();
    let package = |wheel: &W| (wheel.filename().name.to_string(), wheel.filename().version());
    Ok(Environment {
        path: entry.path().to_owned(),
        packages: wheels.iter().map(package).collect(),
        top_level: top_level.into_iter().cloned().collect(),
        modules,
        digest: key.hex(),
        _entry: entry,
    })
}
