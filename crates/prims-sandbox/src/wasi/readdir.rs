//! Listing directories.
//!
//! wasmtime-wasi reads and stats a whole directory on every call, which makes listing one quadratic. Here a directory is
//! read on as the guest asks for more of it, in constant memory.

use std::os::unix::fs::MetadataExt;

use rustix::fs::{Dir, FileType};

use super::Wasi;
use super::abi::{Guest, Res, bits};
use super::clock::Pace;
use super::files::inode;
use super::quota::host;
use crate::stop::Watch;

const DIRENT_SIZE: u32 = 24;

/// How far a directory was read.
pub(super) struct Listing {
    directory: Dir,
    device: u64,
    /// The number of the entry that comes next.
    next: u64,
    /// That entry, if it was read already but did not fit into the guest's buffer.
    pending: Option<Dirent>,
}

struct Dirent {
    inode: u64,
    filetype: u8,
    name: Box<str>,
}

impl Listing {
    fn seek(&mut self, cookie: u64, watch: &Watch) -> Res<()> {
        if cookie < self.next {
            self.directory.rewind();
            (self.next, self.pending) = (0, None);
        }
        let mut pace = Pace::new(watch, 256);
        while self.next < cookie && self.peek(&mut pace)?.is_some() {
            self.advance();
        }
        Ok(())
    }

    fn advance(&mut self) {
        if self.pending.take().is_some() {
            self.next += 1;
        }
    }

    /// The next entry; `None` at the end. Names that are not UTF-8 cannot be opened by a guest and are left out.
    fn peek(&mut self, pace: &mut Pace<'_>) -> Res<Option<&Dirent>> {
        while self.pending.is_none() {
            pace.step()?;
            let Some(entry) = self.directory.next() else {
                return Ok(None);
            };
            let entry = entry.map_err(host)?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            let (inode, filetype) = match name {
                // What is above a directory is nobody's business.
                ".." => (1, bits::TYPE_DIRECTORY),
                _ => (inode(self.device, entry.ino()), filetype(entry.file_type())),
            };
            self.pending = Some(Dirent {
                inode,
                filetype,
                name: name.into(),
            });
        }
        Ok(self.pending.as_ref())
    }
}

fn filetype(file_type: FileType) -> u8 {
    match file_type {
        FileType::RegularFile => bits::TYPE_REGULAR_FILE,
        FileType::Directory => bits::TYPE_DIRECTORY,
        FileType::Symlink => bits::TYPE_SYMBOLIC_LINK,
        FileType::CharacterDevice => bits::TYPE_CHARACTER_DEVICE,
        FileType::BlockDevice => bits::TYPE_BLOCK_DEVICE,
        _ => bits::TYPE_UNKNOWN,
    }
}

impl Wasi {
    pub(super) fn fd_readdir(
        &mut self,
        guest: &mut Guest<'_>,
        number: u32,
        buf: u32,
        buf_len: u32,
        cookie: u64,
        out: u32,
    ) -> Res<()> {
        guest.check(buf, buf_len)?;
        guest.check(out, 4)?;
        if self.stream(number)?.is_some() {
            return Err(super::abi::Errno::Notdir.into());
        }
        let (files, spec) = self.files();
        let directory = files.directory(spec, number)?;
        if directory.listing.is_none() {
            let device = directory.host.metadata()?.dev();
            let listing = Listing {
                directory: Dir::read_from(&directory.host).map_err(host)?,
                device,
                next: 0,
                pending: None,
            };
            directory.listing = Some(Box::new(listing));
        }
        let Some(listing) = directory.listing.as_mut() else {
            return Ok(());
        };
        if cookie == 0 {
            // A listing from the start shows what is there now.
            listing.directory.rewind();
            (listing.next, listing.pending) = (0, None);
        }
        listing.seek(cookie, &spec.watch)?;
        let mut pace = Pace::new(&spec.watch, 256);
        let mut used = 0;
        while used < buf_len {
            let next = listing.next + 1;
            let Some(entry) = listing.peek(&mut pace)? else { break };
            let mut header = [0; DIRENT_SIZE as usize];
            header[0..8].copy_from_slice(&next.to_le_bytes());
            header[8..16].copy_from_slice(&entry.inode.to_le_bytes());
            header[16..20].copy_from_slice(&(entry.name.len() as u32).to_le_bytes());
            header[20] = entry.filetype;
            let mut whole = true;
            for part in [&header[..], entry.name.as_bytes()] {
                let fits = part.len().min((buf_len - used) as usize);
                guest.write(buf.wrapping_add(used), &part[..fits])?;
                used += fits as u32;
                whole &= fits == part.len();
            }
            // An entry that was cut off is what the guest asks for next.
            if whole {
                listing.advance();
            }
        }
        Ok(guest.write_u32(out, used)?)
    }
}
