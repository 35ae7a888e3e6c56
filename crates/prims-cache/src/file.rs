//! File entries.
//!
//! ```text
//! 0                payload: what the builder wrote, holes included; can be mapped as it is
//! payload_len      zeros up to the next multiple of 16 KiB, so that a mapped last page shows nothing else
//! metadata_at      metadata
//! end - 136        footer: magic 16 | version 4 | 0 4 | kind 32 | key 32 | payload_len 8 | metadata_len 8 | digest 32
//! ```
//! Numbers are little-endian. The digest covers the footer before it, the metadata, and everything up to the metadata.

use crate::error::{Broken, Error};
use crate::key::Id;
use crate::lock;
use crate::pages;
use crate::store::{Look, Origin};
use crate::sys;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

/// Longest name of a kind.
pub(crate) const KIND_LEN: usize = 32;
/// What all files of the cache start or end with.
pub(crate) const MAGIC: &[u8; 16] = b"prims-wasm cache";
/// Changes with the layout above.
const VERSION: u32 = 1;
/// Metadata describes the payload; it is read into memory before it is verified.
pub(crate) const MAX_METADATA: usize = 64 << 20;
/// The largest page size of the machines this runs on.
const PAGE: u64 = 16 << 10;
const FOOTER: usize = 136;
const DIGEST_AT: usize = FOOTER - 32;
/// Bytes copied at a time, and the smallest hole a copy has.
const COPY: usize = 64 << 10;

/// A verified file entry. While it exists, or the file taken out of it is open, the entry counts as in use.
#[derive(Debug)]
pub struct FileEntry {
    file: File,
    payload_len: u64,
    metadata: Vec<u8>,
    origin: Origin,
}

impl FileEntry {
    /// The file that was verified, open for reading. The payload starts at offset 0.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The file itself. The entry stays marked as in use until it is closed.
    pub fn into_file(self) -> File {
        self.file
    }

    /// Bytes of payload. What follows up to the end of the page is zeros.
    pub fn payload_len(&self) -> u64 {
        self.payload_len
    }

    /// What the builder said about the payload.
    pub fn metadata(&self) -> &[u8] {
        &self.metadata
    }

    /// Where the entry comes from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Reads the whole payload.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let len = usize::try_from(self.payload_len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let mut payload = vec![0; len];
        self.file.read_exact_at(&mut payload, 0)?;
        Ok(payload)
    }
}

/// Writes a file entry. Bytes that are never written are zeros and take no space on the disk.
#[derive(Debug)]
pub struct EntryWriter {
    file: File,
    position: u64,
    len: u64,
    metadata: Vec<u8>,
    durable: bool,
    /// The first write that failed.
    failure: Option<io::Error>,
}

impl EntryWriter {
    pub(crate) fn create(path: &Path) -> Result<EntryWriter, Error> {
        let file = sys::create(path, 0o600).map_err(Error::on("create", path))?;
        Ok(EntryWriter {
            file,
            position: 0,
            len: 0,
            metadata: vec![],
            durable: true,
            failure: None,
        })
    }

    /// Does not wait until the entry is on the disk. After a power failure it may be broken, which is noticed; for content that is
    /// soon fetched again, waiting would cost more.
    pub fn set_not_durable(&mut self) {
        self.durable = false;
    }

    /// Writes all bytes at an offset, wherever the writer's own position is.
    ///
    /// # Errors
    /// What the system says; then the entry will not be published.
    pub fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let written = sys::write_all_at(&self.file, bytes, offset);
        self.note(written)?;
        self.len = self.len.max(offset + bytes.len() as u64);
        Ok(())
    }

    /// Sets the length of the payload: it is cut, or extended with zeros.
    ///
    /// # Errors
    /// What the system says; then the entry will not be published.
    pub fn set_len(&mut self, len: u64) -> io::Result<()> {
        let set = sys::set_len(&self.file, len);
        self.note(set)?;
        self.len = len;
        Ok(())
    }

    /// Sets what [`FileEntry::metadata`] will say.
    pub fn set_metadata(&mut self, metadata: Vec<u8>) {
        self.metadata = metadata;
    }

    /// Keeps the first failure, and hands it on.
    fn note<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| {
            let copy = match error.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => error.kind().into(),
            };
            self.failure.get_or_insert(copy);
        })
    }

    /// Fails when a write has failed.
    pub(crate) fn check(&mut self, path: &Path) -> Result<(), Error> {
        self.failure
            .take()
            .map_or(Ok(()), |failure| Err(Error::write(path, failure)))
    }

    /// Completes the file and gives it its name.
    pub(crate) fn publish(
        self,
        kind: &str,
        id: &Id,
        temporary: &Path,
        path: &Path,
        origin: Origin,
    ) -> Result<FileEntry, Error> {
        let EntryWriter {
            file: written,
            len,
            metadata,
            durable,
            ..
        } = self;
        if metadata.len() > MAX_METADATA {
            return Err(Error::Metadata {
                len: metadata.len(),
                limit: MAX_METADATA,
            });
        }
        let failed = |error| Error::write(temporary, error);
        let metadata_at = len.next_multiple_of(PAGE);
        let tail_len = (metadata.len() + FOOTER) as u64;
        // Cut first: what was written beyond a later `set_len` must not come back.
        sys::set_len(&written, len).map_err(failed)?;
        sys::set_len(&written, metadata_at + tail_len).map_err(failed)?;
        let mut footer = Footer {
            kind,
            id,
            payload_len: len,
            metadata_len: metadata.len() as u64,
        }
        .encode();
        let digest = digest(&written, metadata_at, &footer, &metadata).map_err(failed)?;
        footer[DIGEST_AT..].copy_from_slice(digest.as_bytes());
        let tail: Vec<u8> = metadata.iter().copied().chain(footer).collect();
        sys::write_all_at(&written, &tail, metadata_at).map_err(failed)?;
        if durable {
            sys::sync(&written).map_err(failed)?;
        }
        sys::set_mode_of(&written, 0o444).map_err(failed)?;
        // Handles that are given out cannot write.
        let file = sys::open(temporary).map_err(failed)?;
        let same = sys::is_at(&written, temporary).map_err(failed)? && lock::mark_used(&file).map_err(failed)?;
        if !same {
            return Err(failed(io::Error::other("somebody else changed it")));
        }
        sys::rename(temporary, path).map_err(Error::on("rename", path))?;
        Ok(FileEntry {
            file,
            payload_len: len,
            metadata,
            origin,
        })
    }
}

impl Write for EntryWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match sys::write_at(&self.file, bytes, self.position) {
            // Callers try again, so this is not a failure.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            other => self.note(other),
        }?;
        self.position += written as u64;
        self.len = self.len.max(self.position);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for EntryWriter {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(delta) => self.len.checked_add_signed(delta),
            SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// The footer without its digest.
struct Footer<'a> {
    kind: &'a str,
    id: &'a Id,
    payload_len: u64,
    metadata_len: u64,
}

impl Footer<'_> {
    /// The footer with zeros for its digest.
    fn encode(&self) -> [u8; FOOTER] {
        let mut kind = [0; KIND_LEN];
        kind[..self.kind.len()].copy_from_slice(self.kind.as_bytes());
        let parts: [&[u8]; 7] = [
            MAGIC,
            &VERSION.to_le_bytes(),
            &[0; 4],
            &kind,
            self.id,
            &self.payload_len.to_le_bytes(),
            &self.metadata_len.to_le_bytes(),
        ];
        let mut footer = [0; FOOTER];
        let mut rest = &mut footer[..];
        for part in parts {
            let (here, after) = rest.split_at_mut(part.len());
            here.copy_from_slice(part);
            rest = after;
        }
        footer
    }
}

fn digest(file: &File, metadata_at: u64, footer: &[u8; FOOTER], metadata: &[u8]) -> io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new_derive_key("prims-wasm cache file 1");
    hasher.update(&footer[..DIGEST_AT]);
    hasher.update(metadata);
    pages::hash(file, metadata_at, &mut hasher)?;
    Ok(hasher.finalize())
}

/// Publishes a copy of an entry that was built elsewhere. `None`, and nothing is left, if the copy is not that entry.
pub(crate) fn adopt(
    from: &File,
    kind: &str,
    id: &Id,
    temporary: &Path,
    path: &Path,
) -> Result<Option<FileEntry>, Error> {
    let failed = |error| Error::write(temporary, error);
    let written = sys::create(temporary, 0o600).map_err(Error::on("create", temporary))?;
    let (mut buffer, mut copied) = (vec![0; COPY], 0);
    // What cannot be read is a copy that is too short.
    while let Ok(len @ 1..) = from.read_at(&mut buffer, copied) {
        // Zeros become holes again, which packing the entry has filled.
        if buffer[..len].iter().any(|&byte| byte != 0) {
            sys::write_all_at(&written, &buffer[..len], copied).map_err(failed)?;
        }
        copied += len as u64;
    }
    sys::set_len(&written, copied).map_err(failed)?;
    // Not forced to the disk: it can be copied again.
    sys::set_mode_of(&written, 0o444).map_err(failed)?;
    let file = sys::open(temporary).map_err(failed)?;
    let same = sys::is_at(&written, temporary).map_err(failed)? && lock::mark_used(&file).map_err(failed)?;
    let verified = verify(&file, kind, id).map_err(failed)?;
    let (true, Ok((payload_len, metadata))) = (same, verified) else {
        sys::remove(temporary).map_err(Error::on("remove", temporary))?;
        return Ok(None);
    };
    sys::rename(temporary, path).map_err(Error::on("rename", path))?;
    Ok(Some(FileEntry {
        file,
        payload_len,
        metadata,
        origin: Origin::Seeded,
    }))
}

/// Opens an entry, verifies it and marks it as in use.
pub(crate) fn look(path: &Path, kind: &str, id: &Id) -> Result<Look<FileEntry>, Error> {
    let file = match sys::open(path) {
        Ok(file) => file,
        Err(error) => return unreadable(path, &error),
    };
    match lock::mark_used(&file) {
        Ok(true) => {}
        // It is being removed; the build lock is held meanwhile.
        Ok(false) => return Ok(Look::Missing),
        Err(error) => return Err(Error::on("lock", path)(error)),
    }
    match verify(&file, kind, id) {
        Ok(Ok((payload_len, metadata))) => Ok(Look::Entry(FileEntry {
            file,
            payload_len,
            metadata,
            origin: Origin::Found,
        })),
        Ok(Err(broken)) => Ok(Look::Broken(broken)),
        Err(error) => unreadable(path, &error),
    }
}

/// What it means that an entry could not be opened or read.
pub(crate) fn unreadable<T>(path: &Path, error: &io::Error) -> Result<Look<T>, Error> {
    if error.kind() == io::ErrorKind::NotFound {
        return Ok(Look::Missing);
    }
    if sys::is_shortage(error) {
        let copy = error
            .raw_os_error()
            .map_or_else(|| error.kind().into(), io::Error::from_raw_os_error);
        return Err(Error::on("read", path)(copy));
    }
    let is_link = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    Ok(Look::Broken(if is_link {
        Broken::FileType("it".into())
    } else {
        Broken::Unreadable(error.to_string())
    }))
}

/// Checks everything about an open entry; gives the length of its payload and its metadata.
fn verify(file: &File, kind: &str, id: &Id) -> io::Result<Result<(u64, Vec<u8>), Broken>> {
    let found = file.metadata()?;
    if let Err(broken) = check_inode(&found, "it") {
        return Ok(Err(broken));
    }
    let len = found.len();
    let Some(footer_at) = len.checked_sub(FOOTER as u64) else {
        return Ok(Err(Broken::Length {
            found: len,
            expected: FOOTER as u64,
        }));
    };
    let mut footer = [0; FOOTER];
    file.read_exact_at(&mut footer, footer_at)?;
    let number = |at: usize| {
        footer[at..]
            .first_chunk()
            .map_or(0, |bytes: &[u8; 8]| u64::from_le_bytes(*bytes))
    };
    let (version, payload_len, metadata_len) = (number(16) as u32, number(88), number(96));
    if footer[..16] != *MAGIC {
        return Ok(Err(Broken::Magic));
    }
    if version != VERSION {
        return Ok(Err(Broken::Version {
            found: version,
            expected: VERSION,
        }));
    }
    let expected = Footer {
        kind,
        id,
        payload_len,
        metadata_len,
    }
    .encode();
    if footer[..DIGEST_AT] != expected[..DIGEST_AT] {
        return Ok(Err(Broken::Name));
    }
    let metadata_at = payload_len.checked_next_multiple_of(PAGE).unwrap_or(u64::MAX);
    let whole = metadata_at.saturating_add(metadata_len).saturating_add(FOOTER as u64);
    if whole != len || metadata_len > MAX_METADATA as u64 {
        return Ok(Err(Broken::Length {
            found: len,
            expected: whole,
        }));
    }
    let mut metadata = vec![0; metadata_len as usize];
    file.read_exact_at(&mut metadata, metadata_at)?;
    if digest(file, metadata_at, &footer, &metadata)?.as_bytes()[..] != footer[DIGEST_AT..] {
        return Ok(Err(Broken::Digest));
    }
    Ok(Ok((payload_len, metadata)))
}

/// Whether a file is a plain file of ours that nobody else can write.
pub(crate) fn check_inode(found: &std::fs::Metadata, name: &str) -> Result<(), Broken> {
    if !found.is_file() {
        Err(Broken::FileType(name.to_owned()))
    } else {
        check_owner(found)
    }
}

/// Whether a file or folder is ours and nobody else can write it.
pub(crate) fn check_owner(found: &std::fs::Metadata) -> Result<(), Broken> {
    if found.uid() != sys::user() {
        Err(Broken::Owner(found.uid()))
    } else if found.mode() & 0o022 != 0 {
        Err(Broken::Mode(found.mode() & 0o7777))
    } else {
        Ok(())
    }
}
