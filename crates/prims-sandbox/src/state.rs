//! States: where a session stands between two runs.
//!
//! A state is the pages in which the memory differs from the image, and the linkage if something was linked since. It is
//! immutable: a run that starts from one makes another, and whatever goes wrong leaves the old one as it was. So going back is
//! dropping, and forking is sharing.
//!
//! ```text
//! 0      header: magic 16 | version 4 | 0 4 | image 32 | memory length 8 | pages 4 | zero pages 4 | linkage length 8
//! 80     digest of everything else, 32
//! 112    numbers of the pages, then of the zero pages, 4 each, ascending
//!        linkage as JSON, if it is not the image's own
//!        the pages, 4,096 each
//! ```
//! Numbers are little-endian. A file belongs to one image; any other refuses it.

use crate::change::{DIGEST, Digest, LogEnd};
use crate::error::Error;
use crate::janitor;
use crate::link::{ImageLinkage, LinkageRecord};
use crate::pages::{PAGE, Page, Pages};
use crate::sandbox::Ready;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

const MAGIC: &[u8; 16] = b"prims-wasm state";
/// Changes with the layout above.
const VERSION: u32 = 1;
const HEADER: usize = 80;
/// Written and hashed at once.
const CHUNK: usize = 256 << 10;
/// A linkage names some thousand symbols at most.
const MAX_LINKAGE: u64 = 64 << 20;
/// Memories are whole numbers of WebAssembly's pages and end with the 32-bit address space.
const WASM_PAGE: usize = 64 << 10;
const MAX_MEMORY: u64 = 4 << 30;

/// Names an image: what must be the same for a state to fit.
pub(crate) type ImageId = [u8; 32];

/// What a session's next run starts from. Cheap to clone; a clone is a fork.
#[derive(Clone)]
pub struct State(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) image: ImageId,
    pub(crate) pages: Pages,
    /// `None`: that of the image.
    pub(crate) linked: Option<Arc<Linked>>,
    /// Bytes of pages when free memory was wiped last.
    pub(crate) wiped_bytes: u64,
    /// The instance that left this state, if it still waits for the call that goes on from here. Its memory is the state.
    pub(crate) waiting: Mutex<Option<Ready>>,
}

impl Inner {
    pub(crate) fn new(image: ImageId, pages: Pages, linked: Option<Arc<Linked>>) -> Inner {
        Inner {
            image,
            wiped_bytes: pages.bytes(),
            pages,
            linked,
            waiting: Mutex::default(),
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Takes the waiting instance away.
    pub(crate) fn take_waiting(&self) -> Option<Ready> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(waiting) = self.take_waiting() {
            janitor::hand_over(move || drop(waiting));
        }
    }
}

/// Linkage that differs from the image's.
pub(crate) struct Linked {
    pub(crate) record: LinkageRecord,
    pub(crate) plan: Arc<ImageLinkage>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

/// What became of a session's memory after a run.
#[derive(Clone, Debug)]
pub enum Kept {
    /// The run came to an end: this is where the next one starts.
    State(State),
    /// There is nothing to go on from; the session stays at the state the run started from.
    Nothing(Discarded),
}

/// Why a run left no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Discarded {
    /// The run was cut off in the middle: stopped, crashed, or ended by `os._exit`.
    CutOff,
    /// The interpreter had to drop the program's data to be able to report that memory ran out.
    OutOfMemory,
    /// The pages that differ from the image are more than the session may keep.
    TooLarge {
        /// How many bytes they are.
        bytes: u64,
        /// How many are allowed.
        limit: u64,
    },
}

impl std::fmt::Display for Discarded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Discarded::CutOff => f.write_str("it was cut off"),
            Discarded::OutOfMemory => f.write_str("memory ran out"),
            Discarded::TooLarge { bytes, limit } => {
                write!(f, "they would take {bytes} bytes, at most {limit} are kept")
            }
        }
    }
}

/// Why a saved state cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateProblem {
    /// It belongs to another image: another environment, another version of the program.
    #[error("it belongs to another image")]
    Foreign,
    /// It is not a state, or not whole.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// It is larger than the caller allows.
    #[error("it has {bytes} bytes, at most {limit} are read")]
    TooLarge {
        /// Bytes of the file.
        bytes: u64,
        /// How many are allowed.
        limit: u64,
    },
}

impl State {
    /// Bytes of memory that differ from the image, those shared with other states included.
    pub fn bytes(&self) -> u64 {
        self.0.pages.bytes()
    }

    /// Bytes that dropping this state, and its clones, would free: pages no other state shares.
    pub fn own_bytes(&self) -> u64 {
        self.0.pages.own_bytes()
    }

    /// Whether the instance that left this state waits for the call that goes on from it. For tests.
    #[doc(hidden)]
    pub fn is_waiting(&self) -> bool {
        self.0.is_waiting()
    }

    /// Bytes of linear memory a run starts with.
    pub fn memory_len(&self) -> usize {
        self.0.pages.len()
    }

    /// Writes the state to a file that must not exist. It is whole when this returns, but may not have reached the disk; that is up
    /// to the caller, as is the name it gets in the end.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, path: &Path) -> Result<File, Error> {
        self.write_here(path)
            .map_err(Error::io("cannot write a session's state"))
    }

    /// Where the log of a state's file begins, once [`State::write`] wrote it.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn log_of(file: &File) -> Result<LogEnd, Error> {
        log_of(file).map_err(Error::io("cannot read a session's state"))
    }

    fn write_here(&self, path: &Path) -> std::io::Result<File> {
        let pages = &self.0.pages;
        let held: Vec<(u32, &Page)> = pages.iter().filter_map(|(at, page)| Some((at, page?))).collect();
        let zero = pages.iter().filter(|(_, page)| page.is_none()).map(|(at, _)| at);
        let zero: Vec<u32> = zero.collect();
        let linkage = match &self.0.linked {
            Some(linked) => serde_json::to_vec(&linked.record)?,
            None => vec![],
        };
        let header = Header {
            image: self.0.image,
            memory: pages.len() as u64,
            pages: held.len() as u32,
            zero: zero.len() as u32,
            linkage: linkage.len() as u64,
        }
        .encode();
        let numbers = held.iter().map(|(at, _)| at).chain(&zero);
        let numbers: Vec<u8> = numbers.flat_map(|at| at.to_le_bytes()).collect();
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create_new(true).mode(0o600).open(path)?;
        let mut hasher = hasher();
        for part in [&header[..], &numbers, &linkage] {
            hasher.update(part);
        }
        file.write_all(&[&header[..], &[0; DIGEST], &numbers, &linkage].concat())?;
        let mut chunk = Vec::with_capacity(CHUNK);
        for pages in held.chunks(CHUNK / PAGE) {
            chunk.clear();
            pages.iter().for_each(|(_, page)| chunk.extend_from_slice(&page[..]));
            hasher.update(&chunk);
            file.write_all(&chunk)?;
        }
        file.write_all_at(hasher.finalize().as_bytes(), HEADER as u64)?;
        Ok(file)
    }
}

pub(crate) fn log_of(file: &File) -> std::io::Result<LogEnd> {
    let mut digest: Digest = [0; DIGEST];
    file.read_exact_at(&mut digest, HEADER as u64)?;
    Ok(LogEnd::of_state(file.metadata()?.len(), digest))
}

/// Whether a memory that began with `image_len` bytes can have `len`.
pub(crate) fn memory_fits(len: u64, image_len: u64) -> bool {
    len.is_multiple_of(WASM_PAGE as u64) && (image_len..=MAX_MEMORY).contains(&len)
}

/// A state as a file holds it, verified.
pub(crate) struct Saved {
    pub(crate) pages: Pages,
    pub(crate) linkage: Option<LinkageRecord>,
    pub(crate) digest: Digest,
}

/// Reads what [`State::write`] wrote for an image whose memory has `image_len` bytes.
pub(crate) fn read(path: &Path, image: &ImageId, image_len: usize, limit: u64) -> Result<Saved, Error> {
    let io = Error::io("cannot read a session's state");
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (len, file) = opened.map_err(io)?;
    match read_here(BufReader::with_capacity(256 << 10, file), len, image, image_len, limit) {
        Ok(found) => Ok(found?),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Err(StateProblem::Damaged("it ends too early").into())
        }
        Err(error) => Err(Error::io("cannot read a session's state")(error)),
    }
}

fn read_here(
    mut file: impl Read,
    len: u64,
    image: &ImageId,
    image_len: usize,
    limit: u64,
) -> std::io::Result<Result<Saved, StateProblem>> {
    if len > limit {
        return Ok(Err(StateProblem::TooLarge { bytes: len, limit }));
    }
    let (mut header, mut digest) = ([0; HEADER], [0; DIGEST]);
    file.read_exact(&mut header)?;
    file.read_exact(&mut digest)?;
    let found = match Header::decode(&header, image) {
        Ok(found) => found,
        Err(problem) => return Ok(Err(problem)),
    };
    let damaged = |what| Ok(Err(StateProblem::Damaged(what)));
    let count = u64::from(found.pages) + u64::from(found.zero);
    let whole = (HEADER + DIGEST) as u64 + 4 * count + found.linkage + u64::from(found.pages) * PAGE as u64;
    // From here on nothing is larger than the file.
    if found.linkage > MAX_LINKAGE || whole != len {
        return damaged("its length is not what its header says");
    }
    if !memory_fits(found.memory, image_len as u64) {
        return damaged("its memory has an impossible length");
    }
    let mut hasher = hasher();
    hasher.update(&header);
    let mut take = |part: &mut [u8]| {
        file.read_exact(part)?;
        hasher.update(part);
        Ok::<(), std::io::Error>(())
    };
    let (mut numbers, mut linkage) = (vec![0; 4 * count as usize], vec![0; found.linkage as usize]);
    take(&mut numbers)?;
    take(&mut linkage)?;
    let mut pages = Vec::with_capacity(count as usize);
    for (at, number) in numbers.as_chunks::<4>().0.iter().enumerate() {
        let number = u32::from_le_bytes(*number);
        let mut page = None;
        if at < found.pages as usize {
            let mut bytes = [0; PAGE];
            take(&mut bytes)?;
            page = Some(Arc::new(bytes));
        }
        pages.push((number, page));
    }
    if *hasher.finalize().as_bytes() != digest {
        return damaged("its digest differs");
    }
    pages.sort_by_key(|(number, _)| *number);
    let Some(pages) = Pages::new(found.memory as usize, pages) else {
        return damaged("a page lies outside its memory");
    };
    let linkage = match found.linkage {
        0 => None,
        _ => match serde_json::from_slice(&linkage) {
            Ok(record) => Some(record),
            Err(_) => return damaged("its linkage does not read"),
        },
    };
    Ok(Ok(Saved { pages, linkage, digest }))
}

fn hasher() -> blake3::Hasher {
    blake3::Hasher::new_derive_key("prims-wasm state file 1")
}

struct Header {
    image: ImageId,
    memory: u64,
    pages: u32,
    zero: u32,
    linkage: u64,
}

impl Header {
    fn encode(&self) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        let parts: [&[u8]; 7] = [
            MAGIC,
            &u64::from(VERSION).to_le_bytes(),
            &self.image,
            &self.memory.to_le_bytes(),
            &self.pages.to_le_bytes(),
            &self.zero.to_le_bytes(),
            &self.linkage.to_le_bytes(),
        ];
        let mut rest = &mut header[..];
        for part in parts {
            let (here, after) = rest.split_at_mut(part.len());
            here.copy_from_slice(part);
            rest = after;
        }
        header
    }

    fn decode(header: &[u8; HEADER], image: &ImageId) -> Result<Header, StateProblem> {
        let number = |at: usize| header[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let half = |at: usize| header[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        if header[..16] != *MAGIC {
            return Err(StateProblem::Damaged("it does not begin as a state does"));
        }
        // Another version's layout is unknown, so whatever else it holds says nothing.
        if number(16) != u64::from(VERSION) || header[24..56] != *image {
            return Err(StateProblem::Foreign);
        }
        Ok(Header {
            image: *image,
            memory: number(56),
            pages: half(64),
            zero: half(68),
            linkage: number(72),
        })
    }
}
