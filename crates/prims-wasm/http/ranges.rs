//! The part of a file that a request asks for (RFC 9110, section 14): one range of bytes. What else `Range` may say, several ranges
//! for example, is passed over as the standard allows, and the whole file is the answer.

use crate::hex::hex;
use axum::http::HeaderMap;
use axum::http::header::{IF_RANGE, RANGE};
use sha2::{Digest, Sha256};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// Some of a file's bytes, at least one unless the file is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) first: u64,
    pub(super) length: u64,
}

impl Part {
    pub(super) fn whole(length: u64) -> Part {
        Part { first: 0, length }
    }

    /// The value of `Content-Range`.
    pub(super) fn content_range(self, of: u64) -> String {
        format!("bytes {}-{}/{of}", self.first, self.first + self.length - 1)
    }
}

/// What the answer is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Whole,
    Part(Part),
    /// The range begins behind the end.
    Nothing,
}

/// A strong entity tag: it changes whenever the file is replaced or written to. It tells nothing of the host.
pub(super) fn tag(found: &Metadata) -> String {
    let mut hash = Sha256::new();
    for part in [found.dev(), found.ino(), found.len()] {
        hash.update(part.to_le_bytes());
    }
    for part in [found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()] {
        hash.update(part.to_le_bytes());
    }
    format!("\"{}\"", hex(&hash.finalize()[..12]))
}

/// What a request wants of a file of `length` bytes that has the entity tag `tag` now.
pub(super) fn wanted(headers: &HeaderMap, length: u64, tag: &str) -> Wanted {
    let mut ranges = headers.get_all(RANGE).iter();
    let (Some(range), None) = (ranges.next(), ranges.next()) else {
        return Wanted::Whole;
    };
    // Dates are no good: the answer never has one to compare with.
    if headers
        .get(IF_RANGE)
        .is_some_and(|known| known.as_bytes() != tag.as_bytes())
    {
        return Wanted::Whole;
    }
    match range.to_str().ok().and_then(Asked::parse) {
        Some(asked) => asked.of(length),
        None => Wanted::Whole,
    }
}

/// One range as it is written.
enum Asked {
    From(u64),
    Between(u64, u64),
    Last(u64),
}

impl Asked {
    fn parse(text: &str) -> Option<Asked> {
        let (unit, range) = text.split_once('=')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        match range.trim().split_once('-')? {
            ("", last) => Some(Asked::Last(number(last)?)),
            (first, "") => Some(Asked::From(number(first)?)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Asked::Between(first, last))
            }
        }
    }

    fn of(self, length: u64) -> Wanted {
        let (first, end) = match self {
            Asked::From(first) => (first, length),
            Asked::Between(first, last) => (first, length.min(last.saturating_add(1))),
            Asked::Last(count) => (length - count.min(length), length),
        };
        if first >= end {
            return Wanted::Nothing;
        }
        Wanted::Part(Part {
            first,
            length: end - first,
        })
    }
}

/// Digits and nothing else; more than fit mean as many as fit.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(range: &'static str, length: u64) -> Wanted {
        let headers = HeaderMap::from_iter([(RANGE, range.parse().unwrap())]);
        wanted(&headers, length, "\"now\"")
    }

    fn part(first: u64, length: u64) -> Wanted {
        Wanted::Part(Part { first, length })
    }

    #[test]
    fn ranges_are_cut_to_what_is_there() {
        assert_eq!(asked("bytes=0-0", 10), part(0, 1));
        assert_eq!(asked("bytes=3-5", 10), part(3, 3));
        assert_eq!(asked("bytes=3-", 10), part(3, 7));
        assert_eq!(asked("bytes=-3", 10), part(7, 3));
        assert_eq!(asked("bytes=-30", 10), part(0, 10));
        assert_eq!(asked("Bytes=9-99999999999999999999999999", 10), part(9, 1));
        assert_eq!(asked("bytes=0-18446744073709551615", 10), part(0, 10));
        assert_eq!(Part { first: 3, length: 3 }.content_range(10), "bytes 3-5/10");
    }

    #[test]
    fn what_begins_behind_the_end_cannot_be_had() {
        for range in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(asked(range, 10), Wanted::Nothing, "{range}");
        }
        for range in ["bytes=0-", "bytes=0-0", "bytes=-1"] {
            assert_eq!(asked(range, 0), Wanted::Nothing, "{range}");
        }
    }

    #[test]
    fn what_is_no_single_range_is_the_whole() {
        for range in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-3",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=0x1-2",
            "bytes=1-2,4-5",
            "bytes=1--2",
            "lines=1-2",
            "1-2",
        ] {
            assert_eq!(asked(range, 10), Wanted::Whole, "{range}");
        }
        let twice = HeaderMap::from_iter([(RANGE, "bytes=1-2".parse().unwrap())]);
        let mut twice = twice;
        twice.append(RANGE, "bytes=4-5".parse().unwrap());
        assert_eq!(wanted(&twice, 10, "\"now\""), Wanted::Whole);
    }

    #[test]
    fn a_part_of_what_it_was_is_not_given() {
        for (known, expected) in [
            ("\"now\"", part(1, 2)),
            ("\"then\"", Wanted::Whole),
            ("W/\"now\"", Wanted::Whole),
            ("Sat, 21 Nov 2026 10:00:00 GMT", Wanted::Whole),
        ] {
            let headers = [(RANGE, "bytes=1-2"), (IF_RANGE, known)];
            let headers = headers.map(|(name, value)| (name, value.parse().unwrap()));
            assert_eq!(
                wanted(&HeaderMap::from_iter(headers), 10, "\"now\""),
                expected,
                "{known}"
            );
        }
    }
}
