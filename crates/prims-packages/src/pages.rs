//! Pages of indexes, kept in the cache: fresh for a while, then asked for again with what the server said about them.

use crate::budget::Budget;
use crate::catalog::Listing;
use crate::error::Error;
use crate::http::{Answer, Client, Get};
use crate::location::redacted;
use crate::name::Name;
use crate::problem::IndexProblem;
use crate::simple::{self, Format};
use prims_cache::{Cache, Key};
use reqwest::header;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::time::{Duration, SystemTime};
use url::Url;

/// How long a page is believed when its server does not say, as pip and uv have it.
const FRESH: Duration = Duration::from_secs(600);
/// The same for the answer that there is no such project.
const UNKNOWN: Duration = Duration::from_secs(60);
/// Longest time a server may ask for.
const MAX_FRESH: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest validator that is kept and sent back.
const MAX_VALIDATOR: usize = 1024;

/// What is remembered with a page.
#[derive(Serialize, Deserialize)]
struct Record {
    /// Whether the index knows the project.
    known: bool,
    /// Where the page came from, after redirects.
    url: String,
    format: Format,
    etag: Option<String>,
    last_modified: Option<String>,
    /// Seconds.
    fresh_for: u64,
    /// Seconds since 1970.
    fetched: u64,
}

/// Asks one index about projects.
pub(crate) struct Pages<'a> {
    pub(crate) client: &'a Client,
    pub(crate) cache: &'a Cache,
    pub(crate) budget: &'a Budget,
    /// The index.
    pub(crate) root: &'a Url,
    /// What messages call it.
    pub(crate) shown: &'a str,
    pub(crate) offline: bool,
    /// Times a request is repeated.
    pub(crate) retries: u32,
}

/// A page from the cache.
struct Kept {
    record: Record,
    body: Vec<u8>,
}

/// A listing, and why it may be outdated if the index could not be asked. No listing: the index does not know the project.
pub(crate) type Found = (Option<Listing>, Option<IndexProblem>);

impl Pages<'_> {
    /// What the index lists for a project. `down` is why it could not be asked before, if that is known.
    pub(crate) fn listing(&self, name: &Name, down: Option<&IndexProblem>) -> Result<Found, Error> {
        let url = self.root.join(&format!("{name}/")).map_err(|_| IndexProblem::Page {
            url: self.shown.to_owned(),
            reason: "its URL cannot be extended".into(),
        })?;
        let key = Key::new("page").with("url", url.as_str().as_bytes());
        let kept = self.kept(&key)?;
        if let Some(kept) = kept.as_ref().filter(|kept| self.offline || kept.is_fresh()) {
            return Ok((self.read(kept, name)?, None));
        }
        if self.offline {
            let what = redacted(&url);
            return Err(IndexProblem::Offline { what }.into());
        }
        let fetched = match down {
            Some(problem) => Err(problem.clone().into()),
            None => self.fetch(&url, &key, name, kept.as_ref()),
        };
        match (fetched, kept) {
            (Err(Error::Index(problem)), Some(kept)) if problem.allows_stale() => {
                Ok((self.read(&kept, name)?, Some(problem)))
            }
            (fetched, _) => Ok((fetched?, None)),
        }
    }

    /// Asks the server, and keeps what it answers once that was read.
    fn fetch(&self, url: &Url, key: &Key, name: &Name, kept: Option<&Kept>) -> Result<Option<Listing>, Error> {
        let mut get = Get::new(url, simple::MAX_PAGE);
        get.compressed = true;
        get.retries = self.retries;
        get.headers.push((header::ACCEPT, simple::ACCEPT.to_owned()));
        if let Some(Kept { record, .. }) = kept {
            let validators = [
                (header::IF_NONE_MATCH, &record.etag),
                (header::IF_MODIFIED_SINCE, &record.last_modified),
            ];
            let validators = validators
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.clone()?)));
            get.headers.extend(validators);
            // Waiting long for a server is worth less when its last answer is here.
            get.retries = self.retries.min(1);
        }
        let page = self
            .client
            .get(self.budget, &get, |answer| Ok(answered(answer, kept)?))?;
        // Read first: what is no page is not kept.
        let listing = self.read(&page, name)?;
        self.keep(key, &page)?;
        Ok(listing)
    }

    fn read(&self, kept: &Kept, name: &Name) -> Result<Option<Listing>, Error> {
        let Record { known, format, url, .. } = &kept.record;
        if !known {
            return Ok(None);
        }
        let url = Url::parse(url).map_err(|_| IndexProblem::Page {
            url: self.shown.to_owned(),
            reason: "it has no URL".into(),
        })?;
        Ok(Some(simple::listing(*format, &kept.body, &url, name, self.shown)?))
    }

    fn kept(&self, key: &Key) -> Result<Option<Kept>, Error> {
        let Some(entry) = self.cache.find("page", key)? else {
            return Ok(None);
        };
        let is_sound = entry.payload_len() <= simple::MAX_PAGE;
        let record = serde_json::from_slice(entry.metadata()).ok().filter(|_| is_sound);
        Ok(record.and_then(|record| {
            Some(Kept {
                record,
                body: entry.read().ok()?,
            })
        }))
    }

    fn keep(&self, key: &Key, page: &Kept) -> Result<(), Error> {
        self.cache.replace("page", key, |writer| {
            writer.set_not_durable();
            writer.set_metadata(serde_json::to_vec(&page.record).unwrap_or_default());
            // The cache reports a failed write itself.
            let _ = writer.write_all(&page.body);
            Ok::<(), Error>(())
        })?;
        Ok(())
    }
}

impl Kept {
    fn is_fresh(&self) -> bool {
        // A page from the future is from a clock that was wrong.
        let age = now().checked_sub(self.record.fetched);
        age.is_some_and(|age| age < self.record.fresh_for)
    }

    /// The same page, which its server says is still what it would send.
    fn again(&self, fresh_for: Duration) -> Kept {
        let record = &self.record;
        Kept {
            record: Record {
                url: record.url.clone(),
                etag: record.etag.clone(),
                last_modified: record.last_modified.clone(),
                fresh_for: fresh_for.as_secs(),
                fetched: now(),
                ..*record
            },
            body: self.body.clone(),
        }
    }
}

/// The page that an answer brings, or says to be the one that is kept.
fn answered(answer: Answer, kept: Option<&Kept>) -> Result<Kept, IndexProblem> {
    let mut fresh_for = fresh_for(answer.header(header::CACHE_CONTROL))
        .unwrap_or(FRESH)
        .min(MAX_FRESH);
    let known = match (answer.status, kept) {
        (200, _) => true,
        (304, Some(kept)) => return Ok(kept.again(fresh_for)),
        (404 | 410, _) => {
            fresh_for = fresh_for.min(UNKNOWN);
            false
        }
        (status, _) => {
            let url = redacted(&answer.url);
            return Err(IndexProblem::Status { url, status });
        }
    };
    let content_type = answer.header(header::CONTENT_TYPE);
    let format = match Format::of(content_type) {
        Some(format) => format,
        None if !known => Format::Html,
        None => {
            let content_type: String = content_type.unwrap_or_default().chars().take(100).collect();
            return Err(IndexProblem::NotAnIndex {
                url: redacted(&answer.url),
                reason: format!("its content type is `{content_type}`"),
            });
        }
    };
    let validator = |name| {
        let value = answer.header(name).filter(|value| value.len() <= MAX_VALIDATOR);
        value.map(str::to_owned)
    };
    let record = Record {
        known,
        url: answer.url.to_string(),
        format,
        etag: validator(header::ETAG),
        last_modified: validator(header::LAST_MODIFIED),
        fresh_for: fresh_for.as_secs(),
        fetched: now(),
    };
    let body = if known { answer.read()? } else { vec![] };
    Ok(Kept { record, body })
}

/// How long an answer may be used, by its `Cache-Control`.
fn fresh_for(cache_control: Option<&str>) -> Option<Duration> {
    let parts = || {
        cache_control
            .into_iter()
            .flat_map(|value| value.split(','))
            .map(str::trim)
    };
    if parts().any(|part| {
        ["no-cache", "no-store"]
            .iter()
            .any(|word| part.eq_ignore_ascii_case(word))
    }) {
        return Some(Duration::ZERO);
    }
    let seconds = parts().find_map(|part| part.strip_prefix("max-age=")?.trim_matches('"').parse().ok());
    seconds.map(Duration::from_secs)
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
