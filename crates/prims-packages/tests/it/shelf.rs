//! A source of wheels that are made here.

use crate::support::Draft;
use pep440_rs::{Version, VersionSpecifiers};
use prims_packages::{Error, Listing, Metadata, Name, Offer, Place, Source, WheelFilename};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Wheels by package. Each is a real one; only its `METADATA` and its digest are looked at here.
#[derive(Default)]
pub(crate) struct Shelf {
    projects: BTreeMap<Name, Arc<Listing>>,
    metadata: BTreeMap<String, Vec<u8>>,
    pub(crate) reads: AtomicUsize,
}

/// How a wheel is listed.
#[derive(Default)]
pub(crate) struct Listed {
    pub(crate) tags: Option<String>,
    pub(crate) requires_python: Option<String>,
    pub(crate) yanked: Option<String>,
    pub(crate) is_bundled: bool,
}

impl Shelf {
    /// Adds a wheel with lines of `METADATA`.
    pub(crate) fn add(&mut self, name: &str, version: &str, metadata: &str, listed: Listed) {
        let draft = Draft::of(name, version, metadata, &[]);
        let tags = listed.tags.unwrap_or("py3-none-any".into());
        let filename = format!("{}-{version}-{tags}.whl", name.replace('-', "_"));
        let text = draft
            .members
            .iter()
            .find(|member| member.name.ends_with(b"METADATA"))
            .unwrap();
        let bytes = draft.bytes();
        let digest = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let place = if listed.is_bundled {
            Place::Bundled
        } else {
            Place::Url(format!("https://index.invalid/files/{filename}").parse().unwrap())
        };
        let offer = Offer {
            filename: WheelFilename::parse(&filename).unwrap(),
            place,
            sha256: Some(digest),
            size: Some(bytes.len() as u64),
            requires_python: listed
                .requires_python
                .map(|text| text.parse::<VersionSpecifiers>().unwrap()),
            yanked: listed.yanked,
            metadata: None,
        };
        self.metadata.insert(filename, text.content.clone());
        self.listing(name).wheels.push(offer);
    }

    /// Adds a version that has no wheel.
    pub(crate) fn add_source(&mut self, name: &str, version: &str) {
        self.listing(name).other.push(version.parse().unwrap());
    }

    fn listing(&mut self, name: &str) -> &mut Listing {
        let listing = self.projects.entry(Name::parse(name).unwrap()).or_default();
        let listing = Arc::get_mut(listing).unwrap();
        listing.index = "https://index.invalid/simple".into();
        listing
    }
}

impl Source for Shelf {
    fn listing(&self, name: &Name) -> Result<Option<Arc<Listing>>, Error> {
        Ok(self.projects.get(name).cloned())
    }

    fn metadata(&self, offer: &Offer) -> Result<Arc<Metadata>, Error> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let metadata = Metadata::parse(&self.metadata[offer.filename.as_str()]);
        metadata.map(Arc::new).map_err(|reason| Error::BadWheel {
            filename: offer.filename.as_str().to_owned(),
            problem: prims_packages::WheelProblem::Description {
                file: "METADATA",
                reason,
            },
        })
    }

    /// Wheels for Pyodide run if they have build number 1.
    fn native_fits(&self, offer: &Offer) -> Result<Result<(), String>, Error> {
        if offer.filename.as_str().contains("-1-cp") {
            return Ok(Ok(()));
        }
        Ok(Err(
            "it imports `emscripten_longjmp`, which this guest does not have".into()
        ))
    }

    fn known_names(&self) -> Vec<Name> {
        self.projects.keys().cloned().collect()
    }

    fn bundled(&self) -> Vec<(Name, Version)> {
        let offers = self.projects.values().flat_map(|listing| &listing.wheels);
        let bundled = offers.filter(|offer| offer.place == Place::Bundled);
        bundled
            .map(|offer| (offer.filename.name.clone(), offer.filename.version().parse().unwrap()))
            .collect()
    }
}
