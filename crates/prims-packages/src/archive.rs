//! One reading of the zip format.
//!
//! Zip files can be written so that two programs see different files in them. This reader accepts only those that leave no choice:
//! the directory is at the very end, every byte of the file belongs to exactly one member or to the directory, and what the
//! directory says of a member is what stands in front of it. What ordinary wheels do not use (ZIP64, encryption, comments,
//! methods other than stored and deflate) is refused.

use flate2::{Crc, Decompress, FlushDecompress, Status};
use std::collections::HashSet;
use std::ops::Range;

/// Longest member name, in bytes.
const MAX_NAME: usize = 1024;
/// Most members of an archive, folders included.
const MAX_MEMBERS: usize = 65_534;
/// How much larger than the archive its content may be.
pub(crate) const MAX_RATIO: u64 = 200;

/// Lengths of the records of the format without their variable parts.
const END: usize = 22;
const CENTRAL: usize = 46;
const LOCAL: usize = 30;

/// Bits of the general purpose flags that are accepted: compression level, sizes follow the data, names are UTF-8.
const FLAG_DESCRIPTOR: u16 = 1 << 3;
const FLAG_UTF8: u16 = 1 << 11;
const FLAGS: u16 = 0b110 | FLAG_DESCRIPTOR | FLAG_UTF8;

/// Extra fields that change what a member is: ZIP64 sizes, another name, strong encryption, AES.
const EXTRA_REFUSED: [u16; 4] = [0x0001, 0x7075, 0x0017, 0x9901];

/// Why an archive is not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveProblem {
    /// It is cut off, has something before or after it, or its parts do not fit together.
    #[error("{0}")]
    Structure(&'static str),
    /// It uses a part of the format that is not accepted.
    #[error("it uses {0}, which is not accepted")]
    Feature(&'static str),
    /// A member is described differently in two places.
    #[error("member `{0}` is described differently in the directory and in front of its data")]
    Contradiction(String),
    /// Two members have the same name.
    #[error("member `{0}` is there twice")]
    Duplicate(String),
    /// A member has a name nothing can have.
    #[error("a member has a name that {0}")]
    Name(&'static str),
    /// A member is a link, a device or the like.
    #[error("member `{0}` is not a plain file or folder")]
    FileType(String),
    /// A member's data does not unpack to what is announced.
    #[error("member `{0}` is damaged")]
    Damaged(String),
    /// It unpacks to more than any honest archive of its size.
    #[error("it unpacks to {unpacked} bytes from {packed}, expected at most {MAX_RATIO} times as much")]
    Ratio {
        /// Bytes of the archive.
        packed: u64,
        /// Bytes it says its members have.
        unpacked: u64,
    },
}

use ArchiveProblem::{Contradiction, Damaged, Duplicate, Feature, FileType, Structure};

/// An archive whose structure has been checked.
#[derive(Debug)]
pub(crate) struct Archive<'a> {
    bytes: &'a [u8],
    members: Vec<Member>,
}

/// A file or folder in an archive.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// Without the final slash of folders. Not yet checked as a path.
    pub(crate) name: String,
    pub(crate) is_folder: bool,
    /// Bytes when unpacked, as announced; reading it checks that.
    pub(crate) size: u64,
    is_deflated: bool,
    flags: u16,
    crc: u32,
    packed: usize,
    /// Where the local header starts, then where the data does.
    at: usize,
    data: usize,
}

impl<'a> Archive<'a> {
    /// Checks the structure of an archive and lists its members in the order of the directory.
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Archive<'a>, ArchiveProblem> {
        let (directory, directory_at, count) = directory(bytes)?;
        let mut members = read_directory(directory, count)?;
        let unpacked = members.iter().fold(0u64, |sum, member| sum.saturating_add(member.size));
        let packed = bytes.len() as u64;
        if unpacked > packed.saturating_mul(MAX_RATIO) {
            return Err(ArchiveProblem::Ratio { packed, unpacked });
        }
        let mut names = HashSet::with_capacity(members.len());
        if let Some(twice) = members.iter().find(|member| !names.insert(member.name.as_str())) {
            return Err(Duplicate(twice.name.clone()));
        }
        let mut order: Vec<usize> = (0..members.len()).collect();
        order.sort_by_key(|index| members[*index].at);
        let ends = order
            .iter()
            .skip(1)
            .map(|next| members[*next].at)
            .chain([directory_at])
            .collect::<Vec<_>>();
        if order.first().is_some_and(|first| members[*first].at != 0) || (order.is_empty() && directory_at != 0) {
            return Err(Structure("there is something before its first member"));
        }
        for (index, end) in order.into_iter().zip(ends) {
            let member = &mut members[index];
            member.data = locate(bytes, member, end)?;
        }
        Ok(Archive { bytes, members })
    }

    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Member> {
        self.members
            .iter()
            .find(|member| !member.is_folder && member.name == name)
    }

    /// Unpacks a member. It takes no more memory than the member announced.
    pub(crate) fn read(&self, member: &Member) -> Result<Vec<u8>, ArchiveProblem> {
        let damaged = || Damaged(member.name.clone());
        let data = self
            .bytes
            .get(member.data..member.data + member.packed)
            .ok_or_else(damaged)?;
        let size = usize::try_from(member.size).map_err(|_| damaged())?;
        let content = if member.is_deflated {
            inflate(data, size).ok_or_else(damaged)?
        } else {
            data.to_vec()
        };
        let mut crc = Crc::new();
        crc.update(&content);
        if content.len() != size || crc.sum() != member.crc {
            return Err(damaged());
        }
        Ok(content)
    }
}

/// An archive of which only the directory is at hand, for members that are fetched one by one.
pub(crate) struct Directory {
    members: Vec<Member>,
    at: u64,
}

/// Bytes at the end of an archive that say where its directory is.
pub(crate) const END_LEN: u64 = END as u64;

impl Directory {
    /// Where the directory of an archive of `len` bytes lies, by the last bytes of it.
    pub(crate) fn find(end: &[u8], len: u64) -> Result<Range<u64>, ArchiveProblem> {
        let (size, at, _) = end_record(end)?;
        let (size, at) = (size as u64, at as u64);
        if at.checked_add(size).and_then(|sum| sum.checked_add(END_LEN)) != Some(len) {
            return Err(Structure("its directory is not where it says"));
        }
        Ok(at..len - END_LEN)
    }

    /// Reads the bytes of the directory, which begins at `at`, and the end of the archive after it.
    pub(crate) fn read(directory: &[u8], end: &[u8], at: u64) -> Result<Directory, ArchiveProblem> {
        let (_, _, count) = end_record(end)?;
        let members = read_directory(directory, count)?;
        Ok(Directory { members, at })
    }

    /// The names of its files.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let files = self.members.iter().filter(|member| !member.is_folder);
        files.map(|member| member.name.as_str())
    }

    /// Where a file lies in the archive, with what stands in front of its data and behind it.
    pub(crate) fn range(&self, name: &str) -> Option<Range<u64>> {
        let member = self.find_member(name)?;
        let next = self
            .members
            .iter()
            .map(|other| other.at)
            .filter(|at| *at > member.at)
            .min();
        Some(member.at as u64..next.map_or(self.at, |next| next as u64))
    }

    /// Unpacks a file from the bytes of its range, to at most `limit` bytes.
    pub(crate) fn unpack(&self, name: &str, bytes: &[u8], limit: u64) -> Result<Vec<u8>, ArchiveProblem> {
        let member = self.find_member(name).filter(|member| member.size <= limit);
        let mut member = member.cloned().ok_or_else(|| Damaged(name.to_owned()))?;
        member.at = 0;
        member.data = locate(bytes, &member, bytes.len())?;
        Archive { bytes, members: vec![] }.read(&member)
    }

    fn find_member(&self, name: &str) -> Option<&Member> {
        let mut named = self
            .members
            .iter()
            .filter(|member| !member.is_folder && member.name == name);
        // Two of a name leave a choice.
        named.next().filter(|_| named.next().is_none())
    }
}

/// Unpacks to exactly `size` bytes from exactly these.
fn inflate(data: &[u8], size: usize) -> Option<Vec<u8>> {
    // One byte more, so that data that goes on is noticed, and so that the decoder always has room to see the end.
    let mut content = Vec::with_capacity(size + 1);
    let mut decoder = Decompress::new(false);
    let status = decoder
        .decompress_vec(data, &mut content, FlushDecompress::Finish)
        .ok()?;
    let whole = status == Status::StreamEnd && decoder.total_in() == data.len() as u64 && content.len() == size;
    whole.then_some(content)
}

/// The directory's bytes, where they start, and how many members there are.
fn directory(bytes: &[u8]) -> Result<(&[u8], usize, usize), ArchiveProblem> {
    let end_at = bytes.len().checked_sub(END).ok_or(Structure("it is too short"))?;
    let (size, at, count) = end_record(&bytes[end_at..])?;
    if at.checked_add(size) != Some(end_at) {
        return Err(Structure("its directory is not where it says"));
    }
    Ok((&bytes[at..end_at], at, count))
}

/// What the end of an archive says about its directory: length, where it starts, and how many members there are.
fn end_record(end: &[u8]) -> Result<(usize, usize, usize), ArchiveProblem> {
    let end = Record(end);
    if end.0.len() != END || end.u32(0) != 0x0605_4b50 {
        return Err(Structure("it does not end with an archive's directory"));
    }
    let (disk, directory_disk, here, count) = (end.u16(4), end.u16(6), end.u16(8), usize::from(end.u16(10)));
    let (size, at, comment) = (end.u32(12), end.u32(16), end.u16(20));
    if comment != 0 {
        return Err(Feature("a comment"));
    }
    if disk != 0 || directory_disk != 0 || usize::from(here) != count {
        return Err(Feature("several parts"));
    }
    if count > MAX_MEMBERS || size == u32::MAX || at == u32::MAX {
        return Err(Feature("ZIP64"));
    }
    Ok((size as usize, at as usize, count))
}

fn read_directory(mut directory: &[u8], count: usize) -> Result<Vec<Member>, ArchiveProblem> {
    let mut members = Vec::with_capacity(count);
    for _ in 0..count {
        if directory.len() < CENTRAL {
            return Err(Structure("its directory is cut off"));
        }
        let record = Record(directory);
        if record.u32(0) != 0x0201_4b50 {
            return Err(Structure("its directory does not read"));
        }
        let (name, extra) = (usize::from(record.u16(28)), usize::from(record.u16(30)));
        let comment = usize::from(record.u16(32));
        let len = CENTRAL + name + extra + comment;
        if directory.len() < len {
            return Err(Structure("its directory is cut off"));
        }
        check_extra(&directory[CENTRAL + name..CENTRAL + name + extra])?;
        members.push(member(&record, &directory[CENTRAL..CENTRAL + name], comment)?);
        directory = &directory[len..];
    }
    if directory.is_empty() {
        Ok(members)
    } else {
        Err(Structure("its directory has something after its last member"))
    }
}

/// A member as the directory describes it.
fn member(record: &Record, name: &[u8], comment: usize) -> Result<Member, ArchiveProblem> {
    let (made_by, flags, method) = (record.u16(4), record.u16(8), record.u16(10));
    let (crc, packed, size) = (record.u32(16), record.u32(20), record.u32(24));
    let (disk, attributes, at) = (record.u16(34), record.u32(38), record.u32(42));
    let name = name_of(name, flags)?;
    if flags & !FLAGS != 0 {
        return Err(Feature("encryption or another rare option"));
    }
    if comment != 0 {
        return Err(Feature("comments on members"));
    }
    if disk != 0 {
        return Err(Feature("several parts"));
    }
    if [packed, size, at].contains(&u32::MAX) {
        return Err(Feature("ZIP64"));
    }
    let is_deflated = match method {
        0 => false,
        8 => true,
        _ => return Err(Feature("a compression method other than deflate")),
    };
    let (name, is_folder) = match name.strip_suffix('/') {
        Some(folder) => (folder.to_owned(), true),
        None => (name, false),
    };
    // Systems that write permissions also write what kind of file it is; nothing at all means a plain one.
    let made_on_unix = matches!(made_by >> 8, 3 | 19);
    let file_type = (attributes >> 16) & 0o170_000;
    let is_plain = match (made_on_unix || file_type != 0, file_type) {
        (false, _) | (true, 0) => true,
        (true, 0o100_000) => !is_folder,
        (true, 0o040_000) => is_folder,
        _ => false,
    };
    if !is_plain {
        return Err(FileType(name));
    }
    if (is_folder && size != 0) || (!is_deflated && packed != size) {
        return Err(Damaged(name));
    }
    let size = u64::from(size);
    Ok(Member {
        name,
        is_folder,
        size,
        is_deflated,
        flags,
        crc,
        packed: packed as usize,
        at: at as usize,
        data: 0,
    })
}

fn name_of(name: &[u8], flags: u16) -> Result<String, ArchiveProblem> {
    if name.is_empty() {
        return Err(ArchiveProblem::Name("is empty"));
    }
    if name.len() > MAX_NAME {
        return Err(ArchiveProblem::Name("is longer than 1024 bytes"));
    }
    if flags & FLAG_UTF8 == 0 && !name.is_ascii() {
        return Err(ArchiveProblem::Name("is in an old character set"));
    }
    let name = std::str::from_utf8(name).map_err(|_| ArchiveProblem::Name("is not UTF-8"))?;
    if name.contains('\0') {
        return Err(ArchiveProblem::Name("contains NUL"));
    }
    Ok(name.to_owned())
}

/// Extra fields may say anything about times and owners, nothing about what the member is.
fn check_extra(mut extra: &[u8]) -> Result<(), ArchiveProblem> {
    while extra.len() >= 4 {
        let record = Record(extra);
        let (id, len) = (record.u16(0), usize::from(record.u16(2)));
        if EXTRA_REFUSED.contains(&id) {
            return Err(Feature("ZIP64, a second name or encryption"));
        }
        extra = extra.get(4 + len..).ok_or(Structure("an extra field is cut off"))?;
    }
    // Some programs pad with fewer zeros than a field has.
    if extra.iter().all(|byte| *byte == 0) {
        Ok(())
    } else {
        Err(Structure("an extra field is cut off"))
    }
}

/// Checks what stands in front of and behind a member's data, which must fill the archive up to `end`; gives where the data starts.
fn locate(bytes: &[u8], member: &Member, end: usize) -> Result<usize, ArchiveProblem> {
    let contradiction = || Contradiction(member.name.clone());
    let whole = bytes
        .get(member.at..end)
        .filter(|whole| whole.len() >= LOCAL)
        .ok_or_else(contradiction)?;
    let record = Record(whole);
    let (name_len, extra_len) = (usize::from(record.u16(26)), usize::from(record.u16(28)));
    let data_at = LOCAL + name_len + extra_len;
    if record.u32(0) != 0x0403_4b50 || whole.len() < data_at + member.packed {
        return Err(contradiction());
    }
    let (name, is_folder) = match whole[LOCAL..LOCAL + name_len].strip_suffix(b"/") {
        Some(name) => (name, true),
        None => (&whole[LOCAL..LOCAL + name_len], false),
    };
    check_extra(&whole[LOCAL + name_len..data_at])?;
    let method = if member.is_deflated { 8 } else { 0 };
    let same = name == member.name.as_bytes()
        && is_folder == member.is_folder
        && (record.u16(6), record.u16(8)) == (member.flags, method);
    let sizes = (member.crc, member.packed as u64, member.size);
    let here = (record.u32(14), u64::from(record.u32(18)), u64::from(record.u32(22)));
    let behind = Record(&whole[data_at + member.packed..]);
    let fits = if member.flags & FLAG_DESCRIPTOR == 0 {
        here == sizes && behind.0.is_empty()
    } else {
        // The sizes follow the data, with a signature or without.
        let start = match behind.0.len() {
            12 => Some(0),
            16 if behind.u32(0) == 0x0807_4b50 => Some(4),
            _ => None,
        };
        let there = |at| {
            (
                behind.u32(at),
                u64::from(behind.u32(at + 4)),
                u64::from(behind.u32(at + 8)),
            )
        };
        (here == sizes || here == (0, 0, 0)) && start.is_some_and(|at| there(at) == sizes)
    };
    if same && fits {
        Ok(member.at + data_at)
    } else {
        Err(contradiction())
    }
}

/// Little-endian numbers at offsets; what lies outside reads as zero, so check lengths first.
struct Record<'a>(&'a [u8]);

impl Record<'_> {
    fn u16(&self, at: usize) -> u16 {
        self.0
            .get(at..at + 2)
            .and_then(|bytes| bytes.first_chunk())
            .map_or(0, |bytes| u16::from_le_bytes(*bytes))
    }

    fn u32(&self, at: usize) -> u32 {
        self.0
            .get(at..at + 4)
            .and_then(|bytes| bytes.first_chunk())
            .map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }
}
