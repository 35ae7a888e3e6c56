//! One file out of a wheel on a server, by a few ranges of it.

use crate::archive::{Directory, END_LEN};
use crate::budget::Budget;
use crate::catalog::Offer;
use crate::error::Error;
use crate::http::{Answer, Client, Get};
use crate::problem::IndexProblem;
use crate::wheel::{MAX_DESCRIPTION, is_own};
use reqwest::header;
use std::ops::Range;
use url::Url;

/// Bytes of the end that are asked for first: with most wheels, the directory and the metadata are in them.
const TAIL: u64 = 64 << 10;
/// Most bytes of one range.
const MAX_RANGE: u64 = 16 << 20;

/// What came of asking for ranges.
pub(crate) enum Ranged {
    /// The `METADATA`.
    Found(Vec<u8>),
    /// The server sends no ranges of its files.
    NotServed,
    /// What came is not the inside of this wheel. The whole wheel will show what it is.
    Unclear,
}

/// Reads `METADATA` out of a wheel on a server.
pub(crate) fn metadata(client: &Client, budget: &Budget, url: &Url, offer: &Offer) -> Result<Ranged, Error> {
    let mut parts = Parts {
        client,
        budget,
        url,
        tail: (0, vec![]),
        len: 0,
    };
    match parts.metadata(offer) {
        Ok(found) => Ok(Ranged::Found(found)),
        Err(Stop::NotServed) => Ok(Ranged::NotServed),
        Err(Stop::Unclear) => Ok(Ranged::Unclear),
        Err(Stop::Failed(error)) => Err(error),
    }
}

enum Stop {
    NotServed,
    Unclear,
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        match error {
            // The server answers, with something that is no range of a wheel.
            Error::Index(
                IndexProblem::Page { .. }
                | IndexProblem::TooLarge { .. }
                | IndexProblem::Length { .. }
                | IndexProblem::Redirect { .. }
                | IndexProblem::Status { status: 400..=499, .. },
            ) => Stop::Unclear,
            other => Stop::Failed(other),
        }
    }
}

impl From<crate::archive::ArchiveProblem> for Stop {
    fn from(_: crate::archive::ArchiveProblem) -> Stop {
        Stop::Unclear
    }
}

struct Parts<'a> {
    client: &'a Client,
    budget: &'a Budget,
    url: &'a Url,
    /// Where the end that is known begins, and its bytes.
    tail: (u64, Vec<u8>),
    /// Bytes of the whole wheel.
    len: u64,
}

impl Parts<'_> {
    fn metadata(&mut self, offer: &Offer) -> Result<Vec<u8>, Stop> {
        let (range, tail) = self.ask(&format!("bytes=-{TAIL}"))?;
        self.len = range.end;
        self.tail = (range.start, tail);
        if self.len < END_LEN || offer.size.is_some_and(|size| size != self.len) {
            return Err(Stop::Unclear);
        }
        let end = self.part(self.len - END_LEN..self.len)?;
        let directory_range = Directory::find(&end, self.len)?;
        let directory = self.part(directory_range.clone())?;
        let directory = Directory::read(&directory, &end, directory_range.start)?;
        let name = {
            let mut named = directory.names().filter(|name| {
                let folder = name.strip_suffix("/METADATA");
                folder.is_some_and(|folder| is_own(folder, ".dist-info", &offer.filename))
            });
            // Two of them leave a choice; whether the wheel is refused for it is decided when all of it is there.
            match (named.next(), named.next()) {
                (Some(name), None) => name.to_owned(),
                _ => return Err(Stop::Unclear),
            }
        };
        let member = directory.range(&name).ok_or(Stop::Unclear)?;
        let bytes = self.part(member)?;
        Ok(directory.unpack(&name, &bytes, MAX_DESCRIPTION)?)
    }

    /// Bytes of the wheel: from the end that is known, or asked for.
    fn part(&self, range: Range<u64>) -> Result<Vec<u8>, Stop> {
        let (start, tail) = &self.tail;
        if range.start > range.end || range.end > self.len || range.end - range.start > MAX_RANGE {
            return Err(Stop::Unclear);
        }
        if range.is_empty() {
            return Ok(vec![]);
        }
        if range.start >= *start {
            let (from, to) = ((range.start - start) as usize, (range.end - start) as usize);
            return Ok(tail.get(from..to).ok_or(Stop::Unclear)?.to_vec());
        }
        let (found, bytes) = self.ask(&format!("bytes={}-{}", range.start, range.end - 1))?;
        if found != range { Err(Stop::Unclear) } else { Ok(bytes) }
    }

    /// Asks for a range; gives the one that came, which for the end of the wheel ends where the wheel does.
    fn ask(&self, range: &str) -> Result<(Range<u64>, Vec<u8>), Stop> {
        let mut get = Get::new(self.url, MAX_RANGE);
        get.headers.push((header::RANGE, range.to_owned()));
        let answer = self.client.get(self.budget, &get, |answer| match answer.status {
            206 => Ok(Some((content_range(&answer), answer.read()?))),
            // Dropped unread: the whole wheel.
            200 | 416 => Ok(None),
            status => Err(IndexProblem::Status {
                url: crate::location::redacted(&answer.url),
                status,
            }
            .into()),
        });
        let (announced, bytes) = answer?.ok_or(Stop::NotServed)?;
        let (found, len) = announced.ok_or(Stop::Unclear)?;
        let is_whole = found.end - found.start == bytes.len() as u64 && found.end <= len;
        let is_consistent = self.len == 0 && found.end == len || self.len == len;
        if is_whole && is_consistent {
            Ok((found, bytes))
        } else {
            Err(Stop::Unclear)
        }
    }
}

/// Reads `Content-Range: bytes 5-9/20`: the range, and the length of the whole.
fn content_range(answer: &Answer) -> Option<(Range<u64>, u64)> {
    let text = answer.header(header::CONTENT_RANGE)?.trim().strip_prefix("bytes")?;
    let (range, len) = text.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let end = last.checked_add(1).filter(|end| *end > first)?;
    Some((first..end, len.trim().parse().ok()?))
}
