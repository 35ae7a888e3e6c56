//! `METADATA` of a wheel from wherever it costs least.

use crate::catalog::{Offer, Place};
use crate::error::{Error, WheelProblem};
use crate::fetch::{Wanted, wheel_key};
use crate::folder;
use crate::http::Get;
use crate::index::sha256;
use crate::indexes::Indexes;
use crate::problem::IndexProblem;
use crate::ranges::{self, Ranged};
use crate::wheel::{MAX_DESCRIPTION, Wheel};
use prims_cache::{FileEntry, Key};
use std::io::Write;
use url::Url;

impl Indexes {
    /// `METADATA` of a wheel, not read yet.
    pub(crate) fn metadata_text(&self, offer: &Offer) -> Result<Vec<u8>, Error> {
        let url = match &offer.place {
            Place::Url(url) => url,
            Place::Bundled | Place::File(_) => return self.of_local(offer),
        };
        if let Some(known) = self.known_metadata(offer.sha256.as_deref())? {
            return Ok(known);
        }
        if let Some(digest) = &offer.sha256
            && let Some(wheel) = self.cache().find("wheel", &wheel_key(digest))?
        {
            let text = self.of_wheel(offer, &payload(&wheel, &self.file_name(offer))?)?;
            self.keep_metadata(Some(digest), &text)?;
            return Ok(text);
        }
        // Without a digest nothing would tie what is served beside a wheel to the wheel that comes later.
        if offer.sha256.is_none() {
            return self.of_whole(offer, url);
        }
        let text = match self.beside(offer, url)? {
            Some(text) => text,
            None => match self.by_ranges(offer, url)? {
                Some(text) => text,
                None => return self.of_whole(offer, url),
            },
        };
        self.keep_metadata(offer.sha256.as_deref(), &text)?;
        Ok(text)
    }

    /// Whether `METADATA` of a wheel can be had for at most one small request.
    pub(crate) fn has_metadata_at_hand(&self, offer: &Offer) -> bool {
        let is_kept = |digest: &String| {
            let metadata = self.cache().find("metadata", &metadata_key(digest));
            metadata.is_ok_and(|found| found.is_some())
        };
        match &offer.place {
            Place::Bundled | Place::File(_) => true,
            Place::Url(_) => offer
                .sha256
                .as_ref()
                .is_some_and(|digest| offer.metadata.is_some() || is_kept(digest)),
        }
    }

    /// Fails when a wheel says something else about itself than was used before it was there, and forgets what was used.
    pub(crate) fn compare_metadata(&self, digest: &str, filename: &str, text: &[u8]) -> Result<(), Error> {
        match self.known_metadata(Some(digest))? {
            Some(known) if known != text => {
                self.keep_metadata(Some(digest), text)?;
                Err(IndexProblem::MetadataDiffers {
                    filename: filename.to_owned(),
                }
                .into())
            }
            _ => Ok(()),
        }
    }

    /// What messages call a wheel of an index.
    pub(crate) fn file_name(&self, offer: &Offer) -> String {
        let name = match &offer.place {
            Place::Url(url) => crate::location::filename(url),
            Place::File(path) => path.file_name().map(|name| name.to_string_lossy().into_owned()),
            Place::Bundled => None,
        };
        name.unwrap_or_else(|| offer.filename.name.to_string())
    }

    pub(crate) fn bad(&self, offer: &Offer, problem: WheelProblem) -> Error {
        Error::BadWheel {
            filename: self.file_name(offer),
            problem,
        }
    }

    /// The bytes of a wheel, fetched if need be, verified.
    pub(crate) fn wheel_bytes(&self, offer: &Offer) -> Result<Vec<u8>, Error> {
        match &offer.place {
            Place::Bundled => {
                let wheel = self.bundle().get(&offer.filename.name);
                let wheel = wheel.filter(|wheel| *wheel.parsed() == offer.filename);
                let missing = || IndexProblem::NotBundled {
                    filename: self.file_name(offer),
                };
                Ok(wheel.ok_or_else(missing)?.bytes()?.to_vec())
            }
            Place::File(path) => {
                let bytes = folder::read(path, folder::MAX_WHEEL)?;
                verified(&bytes, offer.sha256.as_deref(), &self.file_name(offer))?;
                Ok(bytes)
            }
            Place::Url(url) => {
                let filename = self.file_name(offer);
                let wanted = Wanted {
                    filename: &filename,
                    url,
                    sha256: offer.sha256.as_deref(),
                    size: offer.size,
                };
                payload(&self.wheel(wanted)?.entry, &filename)
            }
        }
    }

    fn of_local(&self, offer: &Offer) -> Result<Vec<u8>, Error> {
        self.of_wheel(offer, &self.wheel_bytes(offer)?)
    }

    fn of_wheel(&self, offer: &Offer, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let text = Wheel::open(&offer.filename, bytes).and_then(|wheel| wheel.metadata_text());
        text.map_err(|problem| self.bad(offer, problem))
    }

    /// Served beside the wheel (PEP 658).
    fn beside(&self, offer: &Offer, url: &Url) -> Result<Option<Vec<u8>>, Error> {
        let Some(announced) = offer.metadata.as_ref().filter(|_| !self.settings().offline) else {
            return Ok(None);
        };
        let mut url = url.clone();
        let path = format!("{}.metadata", url.path());
        url.set_path(&path);
        let mut get = Get::new(&url, MAX_DESCRIPTION);
        get.compressed = true;
        let text = self.client().get(self.budget(), &get, |answer| match answer.status {
            200 => Ok(Some(answer.read()?)),
            // An index that announces what it does not have.
            _ => Ok(None),
        })?;
        match (text, &announced.sha256) {
            (Some(text), Some(expected)) if sha256(&text) != *expected => Err(IndexProblem::MetadataDigest {
                filename: self.file_name(offer),
                found: sha256(&text),
                expected: expected.clone(),
            }
            .into()),
            (text, _) => Ok(text),
        }
    }

    fn by_ranges(&self, offer: &Offer, url: &Url) -> Result<Option<Vec<u8>>, Error> {
        if self.settings().offline || self.has_no_ranges(url) {
            return Ok(None);
        }
        match ranges::metadata(self.client(), self.budget(), url, offer)? {
            Ranged::Found(text) => Ok(Some(text)),
            Ranged::NotServed => {
                self.note_no_ranges(url);
                Ok(None)
            }
            Ranged::Unclear => Ok(None),
        }
    }

    /// Out of the whole wheel, which is in the cache afterwards.
    fn of_whole(&self, offer: &Offer, url: &Url) -> Result<Vec<u8>, Error> {
        let filename = self.file_name(offer);
        let wheel = self.wheel(Wanted {
            filename: &filename,
            url,
            sha256: offer.sha256.as_deref(),
            size: offer.size,
        })?;
        let text = self.of_wheel(offer, &payload(&wheel.entry, &filename)?)?;
        self.keep_metadata(Some(&wheel.sha256), &text)?;
        Ok(text)
    }

    fn known_metadata(&self, digest: Option<&str>) -> Result<Option<Vec<u8>>, Error> {
        let Some(digest) = digest else { return Ok(None) };
        let entry = self.cache().find("metadata", &metadata_key(digest))?;
        let sound = entry.filter(|entry| entry.payload_len() <= MAX_DESCRIPTION);
        Ok(sound.and_then(|entry| entry.read().ok()))
    }

    fn keep_metadata(&self, digest: Option<&str>, text: &[u8]) -> Result<(), Error> {
        let Some(digest) = digest else { return Ok(()) };
        self.cache().replace("metadata", &metadata_key(digest), |writer| {
            writer.set_not_durable();
            // The cache reports a failed write itself.
            let _ = writer.write_all(text);
            Ok::<(), Error>(())
        })?;
        Ok(())
    }
}

fn metadata_key(digest: &str) -> Key {
    Key::new("metadata").with("wheel", digest.as_bytes())
}

/// The bytes of a file entry.
pub(crate) fn payload(entry: &FileEntry, filename: &str) -> Result<Vec<u8>, Error> {
    entry.read().map_err(|error| {
        Error::Index(IndexProblem::LocalFile {
            filename: filename.to_owned(),
            reason: error.to_string(),
        })
    })
}

/// Fails unless bytes have the digest they should have, if one is known.
pub(crate) fn verified(bytes: &[u8], expected: Option<&str>, filename: &str) -> Result<(), Error> {
    match expected {
        Some(expected) if sha256(bytes) != expected => Err(Error::DigestMismatch {
            filename: filename.to_owned(),
            found: sha256(bytes),
            expected: expected.to_owned(),
        }),
        _ => Ok(()),
    }
}
