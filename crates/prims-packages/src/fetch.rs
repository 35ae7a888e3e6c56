//! Wheels from servers, into the cache: once, whole, and only if they are what was announced.

use crate::catalog::{Lock, LockedWheel, Place};
use crate::error::Error;
use crate::folder::MAX_WHEEL;
use crate::http::Get;
use crate::index::hexadecimal;
use crate::indexes::Indexes;
use crate::location::redacted;
use crate::problem::IndexProblem;
use crate::progress::Event;
use prims_cache::{EntryWriter, FileEntry, Key};
use sha2::{Digest, Sha256};
use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use url::Url;

/// Wheels that come at the same time.
const PARALLEL: usize = 4;
/// Bytes between two reports.
const STEP: u64 = 256 << 10;

/// A wheel on a server.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) filename: &'a str,
    pub(crate) url: &'a Url,
    pub(crate) sha256: Option<&'a str>,
    pub(crate) size: Option<u64>,
}

impl<'a> Wanted<'a> {
    /// The part of a lock that comes from a server.
    fn of(locked: &'a LockedWheel) -> Option<Wanted<'a>> {
        let Place::Url(url) = &locked.place else { return None };
        Some(Wanted {
            filename: &locked.filename,
            url,
            sha256: Some(locked.sha256.as_str()).filter(|digest| !digest.is_empty()),
            size: locked.size,
        })
    }
}

/// A wheel in the cache. It stays there while this exists.
#[derive(Clone, Debug)]
pub(crate) struct CachedWheel {
    pub(crate) sha256: String,
    pub(crate) entry: Arc<FileEntry>,
}

impl Indexes {
    /// Fetches every wheel of a lock into the cache, a few at a time. Gives the lock with the digests of those wheels for which the
    /// index gave none; in a lock, an empty digest means that.
    ///
    /// # Errors
    /// [`Error::DigestMismatch`] when bytes are not those of the lock, [`Error::Index`] when they cannot be had or have no digest and
    /// one is required, [`Error::Cache`]. Wheels that came stay in the cache.
    pub fn download(&self, lock: &Lock) -> Result<Lock, Error> {
        let mut lock = lock.clone();
        let digests: Vec<Mutex<Option<String>>> = lock.wheels.iter().map(|_| Mutex::default()).collect();
        let (next, failed, failure) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(None));
        let work = || {
            while !failed.load(Ordering::Relaxed) {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(locked) = lock.wheels.get(index) else { return };
                let Some(wanted) = Wanted::of(locked) else { continue };
                match self.wheel(wanted) {
                    Ok(cached) => *digests[index].lock().unwrap_or_else(PoisonError::into_inner) = Some(cached.sha256),
                    Err(error) => {
                        failed.store(true, Ordering::Relaxed);
                        failure
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .get_or_insert(error);
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..PARALLEL.min(lock.wheels.len()) {
                scope.spawn(work);
            }
            work();
        });
        if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        for (locked, digest) in lock.wheels.iter_mut().zip(digests) {
            if let Some(digest) = digest.into_inner().unwrap_or_else(PoisonError::into_inner) {
                locked.sha256 = digest;
            }
        }
        Ok(lock)
    }

    /// A wheel from a server, verified: from the cache, or fetched into it.
    pub(crate) fn wheel(&self, wanted: Wanted) -> Result<CachedWheel, Error> {
        if wanted.sha256.is_none() && self.settings().require_hashes {
            return Err(IndexProblem::NoHash {
                filename: wanted.filename.to_owned(),
            }
            .into());
        }
        // Without a digest, the place stands for the content: within one session it is fetched once.
        let question = wanted.sha256.map_or_else(|| wanted.url.to_string(), str::to_owned);
        self.wheels().get(question, || match wanted.sha256 {
            Some(sha256) => self.fetch(wanted, sha256),
            None => self.fetch_unknown(wanted),
        })
    }

    fn fetch(&self, wanted: Wanted, sha256: &str) -> Result<CachedWheel, Error> {
        // Waiting for another process has a bound too.
        let cache = self.cache().clone().with_patience(self.budget().remaining()?);
        let entry = cache.file("wheel", &wheel_key(sha256), |writer| {
            self.receive(wanted, writer).map(|_| ())
        })?;
        let (sha256, entry) = (sha256.to_owned(), Arc::new(entry));
        Ok(CachedWheel { sha256, entry })
    }

    /// Fetches a wheel whose digest is not known, to file it under the one it has.
    fn fetch_unknown(&self, wanted: Wanted) -> Result<CachedWheel, Error> {
        let cache = self.cache().clone().with_patience(self.budget().remaining()?);
        let key = Key::new("download").with("url", wanted.url.as_str().as_bytes());
        let mut sha256 = String::new();
        let download = cache.replace("download", &key, |writer| {
            sha256 = self.receive(wanted, writer)?;
            Ok::<(), Error>(())
        })?;
        let entry = cache.file("wheel", &wheel_key(&sha256), |writer| {
            writer.set_not_durable();
            let mut from = std::io::Read::take(download.file(), download.payload_len());
            let copied = std::io::copy(&mut from, writer);
            if copied.is_ok_and(|copied| copied == download.payload_len()) {
                return Ok(());
            }
            Err(Error::Index(IndexProblem::LocalFile {
                filename: wanted.filename.to_owned(),
                reason: "it could not be copied".into(),
            }))
        })?;
        cache.forget("download", &key)?;
        let entry = Arc::new(entry);
        Ok(CachedWheel { sha256, entry })
    }

    /// Writes what a server sends, if it is what was announced; gives its digest.
    fn receive(&self, wanted: Wanted, writer: &mut EntryWriter) -> Result<String, Error> {
        let Wanted {
            filename,
            url,
            sha256,
            size,
        } = wanted;
        if self.settings().offline {
            let what = filename.to_owned();
            return Err(IndexProblem::Offline { what }.into());
        }
        writer.set_not_durable();
        let limit = size.unwrap_or(MAX_WHEEL).min(MAX_WHEEL);
        let failed = |error: std::io::Error| {
            // The cache says what failed: a write.
            Error::Index(IndexProblem::LocalFile {
                filename: filename.to_owned(),
                reason: error.to_string(),
            })
        };
        self.client().get(self.budget(), &Get::new(url, limit), |mut answer| {
            if answer.status != 200 {
                let (url, status) = (redacted(&answer.url), answer.status);
                return Err(IndexProblem::Status { url, status }.into());
            }
            // A second attempt begins anew.
            writer.set_len(0).map_err(failed)?;
            writer.seek(SeekFrom::Start(0)).map_err(failed)?;
            let total = size.or(answer.body.announced());
            let report = |bytes| {
                let name = filename.to_owned();
                self.progress().report(Event::Fetching { name, bytes, total });
            };
            report(0);
            let (mut hash, mut bytes, mut reported) = (Sha256::new(), 0u64, 0u64);
            answer.body.each(|part| {
                hash.update(part);
                writer.write_all(part).map_err(failed)?;
                bytes += part.len() as u64;
                if bytes >= reported + STEP {
                    reported = bytes;
                    report(bytes);
                }
                Ok::<(), Error>(())
            })?;
            if let Some(expected) = size.filter(|expected| *expected != bytes) {
                let url = redacted(url);
                return Err(IndexProblem::Length {
                    url,
                    found: bytes,
                    expected,
                }
                .into());
            }
            let found = hexadecimal(&hash.finalize());
            match sha256 {
                Some(expected) if expected != found => Err(Error::DigestMismatch {
                    filename: filename.to_owned(),
                    found,
                    expected: expected.to_owned(),
                }),
                _ => {
                    let name = filename.to_owned();
                    self.progress().report(Event::Fetched { name, bytes });
                    Ok(found)
                }
            }
        })
    }
}

/// Under which key a wheel is in the cache.
pub(crate) fn wheel_key(sha256: &str) -> Key {
    Key::new("wheel").with("sha256", sha256.as_bytes())
}
