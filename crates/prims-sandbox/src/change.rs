//! Changes: what a call made of a session's state, in as few bytes as say it.
//!
//! A state's file is large beside what a call changes in it, so the changes of the calls that follow are appended to a log that belongs
//! to the file. Reading the file and then the log gives the state after the last change that is whole.
//!
//! ```text
//! 0   magic 8 | length of what follows the digest 8 | memory length 8 | pages 4 | pages gone 4 | linkage length 8
//! 40  digest of the digest before (the state file's for the first change), of the 40 bytes above and of what follows, 32
//! 72  numbers of the pages, 4 each
//!     which of its 64 lines of 64 bytes a page has here, 8 each
//!     numbers of the pages that are the image's again, 4 each
//!     linkage as JSON, if it changed
//!     the lines
//! ```
//! Numbers are little-endian. A process that is killed leaves a last change that ends too early: nobody was answered for that one.
//! Each digest covers the one before, so a change can be read only after those it was made after.

use crate::error::Error;
use crate::link::LinkageRecord;
use crate::memory::Mapped;
use crate::pages::{PAGE, Page, Pages, is_zero, original, shared};
use crate::state::{Inner, StateProblem};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"prims ch";
const HEADER: usize = 40;
/// Bytes of a digest.
pub(crate) const DIGEST: usize = 32;
const LINE: usize = 64;
/// Changes that take more than this are not worth a log: the state is written whole.
const MAX_CHANGE: usize = 4 << 20;
/// Longest log: reading it must not take longer than a call may.
const MAX_LOG: u64 = 32 << 20;
/// Most changes in a log.
const MAX_CHANGES: u64 = 1024;

/// What a digest is of, so that the next one can be of it.
pub(crate) type Digest = [u8; DIGEST];

/// Where a state's file and its log end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEnd {
    /// Bytes of the log.
    pub bytes: u64,
    /// Changes in it.
    pub changes: u64,
    /// Bytes of the state's file.
    base: u64,
    digest: Digest,
}

impl LogEnd {
    pub(crate) fn of_state(base: u64, digest: Digest) -> LogEnd {
        LogEnd {
            bytes: 0,
            changes: 0,
            base,
            digest,
        }
    }

    /// Whether reading the log would cost too much beside reading a file that has it all.
    fn is_full_with(&self, change: usize) -> bool {
        let bytes = self.bytes + change as u64;
        self.changes >= MAX_CHANGES || bytes > MAX_LOG || bytes > self.base.max(1 << 20)
    }
}

/// The bytes to append to a log that ends at `end`, and where it ends then. `None`: the state is better written whole.
pub(crate) fn encode(
    image: &Mapped,
    before: &Inner,
    after: &Inner,
    end: &LogEnd,
) -> Result<Option<(Vec<u8>, LogEnd)>, serde_json::Error> {
    let (mut numbers, mut masks, mut gone, mut lines) = (vec![], vec![], vec![], vec![]);
    let mut pages = 0u32;
    for (number, was, is) in after.pages.changes(&before.pages) {
        let Some(is) = is else {
            gone.extend(number.to_le_bytes());
            continue;
        };
        let was = was.map_or_else(|| original(image.pristine(), number), |page| &page[..]);
        let mut mask = 0u64;
        for (at, (new, old)) in is.chunks(LINE).zip(was.chunks(LINE)).enumerate() {
            if new != old {
                mask |= 1 << at;
                lines.extend_from_slice(new);
            }
        }
        pages += 1;
        numbers.extend(number.to_le_bytes());
        masks.extend(mask.to_le_bytes());
        if lines.len() > MAX_CHANGE {
            return Ok(None);
        }
    }
    let linkage = match (&after.linked, &before.linked) {
        (Some(new), Some(old)) if Arc::ptr_eq(new, old) => vec![],
        (Some(new), _) => serde_json::to_vec(&new.record)?,
        (None, _) => vec![],
    };
    let parts = [&numbers, &masks, &gone, &linkage, &lines];
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let whole = HEADER + DIGEST + len;
    if whole > MAX_CHANGE || end.is_full_with(whole) {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(whole);
    bytes.extend_from_slice(MAGIC);
    bytes.extend((len as u64).to_le_bytes());
    bytes.extend((after.pages.len() as u64).to_le_bytes());
    bytes.extend(pages.to_le_bytes());
    bytes.extend((gone.len() as u32 / 4).to_le_bytes());
    bytes.extend((linkage.len() as u64).to_le_bytes());
    bytes.extend([0; DIGEST]);
    parts.into_iter().for_each(|part| bytes.extend_from_slice(part));
    let digest = digest(&end.digest, &bytes[..HEADER], &bytes[HEADER + DIGEST..]);
    bytes[HEADER..HEADER + DIGEST].copy_from_slice(&digest);
    let end = LogEnd {
        bytes: end.bytes + whole as u64,
        changes: end.changes + 1,
        digest,
        ..*end
    };
    Ok(Some((bytes, end)))
}

fn page_numbers(bytes: &[u8]) -> Vec<u32> {
    let numbers = bytes.as_chunks::<4>().0.iter();
    numbers.map(|number| u32::from_le_bytes(*number)).collect()
}

fn digest(before: &Digest, header: &[u8], rest: &[u8]) -> Digest {
    let mut hasher = blake3::Hasher::new_derive_key("prims-wasm state log 1");
    hasher.update(before).update(header).update(rest);
    *hasher.finalize().as_bytes()
}

struct Header {
    len: u64,
    memory: u64,
    pages: u32,
    gone: u32,
    linkage: u64,
}

/// What is between two changes.
enum Next {
    Change(Header, [u8; HEADER]),
    /// The log ends here, maybe in the middle of a change.
    End,
}

/// Reads a change's header. `left` are the bytes of the log from here on; a change that is longer ends too early.
fn header(log: &mut impl Read, left: u64) -> std::io::Result<Result<Next, StateProblem>> {
    let Some(room) = left.checked_sub((HEADER + DIGEST) as u64) else {
        return Ok(Ok(Next::End));
    };
    let mut bytes = [0; HEADER];
    log.read_exact(&mut bytes)?;
    let number = |at: usize| bytes[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let half = |at: usize| bytes[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    let found = Header {
        len: number(8),
        memory: number(16),
        pages: half(24),
        gone: half(28),
        linkage: number(32),
    };
    if bytes[..8] != *MAGIC || found.len > MAX_CHANGE as u64 {
        return Ok(Err(StateProblem::Damaged("a change of it does not begin as one does")));
    }
    Ok(Ok(if found.len > room {
        Next::End
    } else {
        Next::Change(found, bytes)
    }))
}

/// How many changes a log has, going by their headers.
///
/// # Errors
/// Those of the file.
pub fn count_changes(log: &mut File) -> std::io::Result<u64> {
    let (mut at, mut changes, len) = (0, 0, log.metadata()?.len());
    while let Ok(Next::Change(found, _)) = header(log, len - at)? {
        at += (HEADER + DIGEST) as u64 + found.len;
        changes += 1;
        log.seek(SeekFrom::Start(at))?;
        if changes == MAX_CHANGES {
            break;
        }
    }
    Ok(changes)
}

/// A state that is being put together.
pub(crate) struct Replay<'a> {
    pub(crate) image: &'a Mapped,
    /// Bytes of pages it may have.
    pub(crate) limit: u64,
    pub(crate) memory: usize,
    pub(crate) pages: BTreeMap<u32, Page>,
    /// How many of them hold something.
    held: usize,
    pub(crate) linkage: Option<LinkageRecord>,
    digest: Digest,
}

impl<'a> Replay<'a> {
    pub(crate) fn of(
        image: &'a Mapped,
        pages: &Pages,
        linkage: Option<LinkageRecord>,
        digest: Digest,
        limit: u64,
    ) -> Replay<'a> {
        let by_number = pages.to_map();
        Replay {
            image,
            limit,
            memory: pages.len(),
            held: by_number.values().filter(|page| !is_zero(page)).count(),
            pages: by_number,
            linkage,
            digest,
        }
    }

    /// Takes over the changes of a log of `len` bytes, up to its end or to the first one that is damaged.
    pub(crate) fn read(&mut self, log: &mut impl Read, len: u64) -> Result<Option<StateProblem>, Error> {
        self.read_here(log, len.min(MAX_LOG))
            .map_err(Error::io("cannot read a session's changes"))
    }

    fn read_here(&mut self, log: &mut impl Read, len: u64) -> std::io::Result<Option<StateProblem>> {
        let mut at = 0;
        for _ in 0..MAX_CHANGES {
            let (found, first) = match header(log, len - at)? {
                Ok(Next::Change(found, first)) => (found, first),
                Ok(Next::End) => break,
                Err(problem) => return Ok(Some(problem)),
            };
            let (mut expected, mut rest) = ([0; DIGEST], vec![0; found.len as usize]);
            log.read_exact(&mut expected)?;
            log.read_exact(&mut rest)?;
            if digest(&self.digest, &first, &rest) != expected {
                return Ok(Some(StateProblem::Damaged("the digest of a change differs")));
            }
            if let Err(problem) = self.take(&found, &rest) {
                return Ok(Some(problem));
            }
            self.digest = expected;
            at += (HEADER + DIGEST) as u64 + found.len;
        }
        Ok(None)
    }

    /// Takes over one change, whole or not at all.
    fn take(&mut self, found: &Header, rest: &[u8]) -> Result<(), StateProblem> {
        let damaged = StateProblem::Damaged("a change of it is not what its header says");
        let sizes = [
            4 * u64::from(found.pages),
            8 * u64::from(found.pages),
            4 * u64::from(found.gone),
            found.linkage,
        ];
        let mut parts = [&rest[..0]; 4];
        let mut rest = rest;
        for (part, size) in parts.iter_mut().zip(sizes) {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            (*part, rest) = rest.split_at_checked(size).ok_or(damaged.clone())?;
        }
        let [numbers, masks, gone, linkage] = parts;
        let fits = crate::state::memory_fits(found.memory, self.image.len() as u64);
        let lines: u64 = masks.iter().map(|byte| u64::from(byte.count_ones())).sum();
        let (numbers, gone) = (page_numbers(numbers), page_numbers(gone));
        let ascending = [&numbers, &gone].iter().all(|list| list.is_sorted_by(|a, b| a < b));
        if !fits || !ascending || lines * LINE as u64 != rest.len() as u64 {
            return Err(damaged);
        }
        let linkage = match linkage {
            [] => None,
            text => Some(serde_json::from_slice(text).map_err(|_| damaged)?),
        };
        let is_held = |number: &&u32| self.pages.get(number).is_some_and(|page| !is_zero(page));
        let replaced = numbers.iter().chain(&gone).filter(is_held).count();
        let mut held = self.held.saturating_sub(replaced);
        let mut pages = Vec::with_capacity(numbers.len());
        for (number, mask) in numbers.into_iter().zip(masks.as_chunks::<8>().0) {
            let page = self.page(number, u64::from_le_bytes(*mask), &mut rest);
            held += usize::from(!is_zero(&page));
            let (bytes, limit) = (held as u64 * PAGE as u64, self.limit);
            if bytes > limit {
                return Err(StateProblem::TooLarge { bytes, limit });
            }
            pages.push((number, page));
        }
        gone.iter().for_each(|number| drop(self.pages.remove(number)));
        self.pages.extend(pages);
        self.held = held;
        self.memory = found.memory as usize;
        self.linkage = linkage.or(self.linkage.take());
        Ok(())
    }

    /// A page with the lines that `mask` names taken from `lines`, the others as they were.
    fn page(&self, number: u32, mask: u64, lines: &mut &[u8]) -> Page {
        let was = self.pages.get(&number).map(|page| &page[..]);
        let was = was.unwrap_or_else(|| original(self.image.pristine(), number));
        let mut page = [0; PAGE];
        page.copy_from_slice(was);
        for (at, line) in page.chunks_mut(LINE).enumerate() {
            if mask >> at & 1 == 1
                && let Some((new, left)) = lines.split_at_checked(LINE)
            {
                line.copy_from_slice(new);
                *lines = left;
            }
        }
        shared(page)
    }
}
