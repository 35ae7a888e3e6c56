//! How much a writable directory may hold.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno as HostErrno;

use super::abi::{Errno, Fail, Res};
use super::clock::Pace;
use crate::stop::Watch;

/// How many directories may lie inside each other below a mount. It bounds what walks over the tree need, here and
/// wherever the host collects or removes what a run left behind.
pub(super) const MAX_DEPTH: usize = 64;

/// What a writable directory may hold: the sum of the sizes of its files, and how many names there are in it.
///
/// Sizes are what `stat` shows, so a sparse file costs as much as a full one, and a file with two names costs twice.
/// Files that have no name any more but are still open count too. Runs that share a directory must share its quota.
#[derive(Debug)]
pub(crate) struct Quota {
    max_bytes: u64,
    max_files: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// `None` until the directory was measured.
    usage: Option<Usage>,
    /// What is reserved by operations that are under way; part of `usage`.
    pending: Usage,
    /// Whether something happened since the last measurement that may have made room.
    freed: bool,
    /// Every file below the directory that was opened. One that was closed meanwhile may have made room, too.
    open: Vec<Weak<File>>,
}

/// What a directory holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// The sum of the sizes of the files.
    pub(crate) bytes: u64,
    /// How many files, directories and links there are.
    pub(crate) files: u64,
}

impl Usage {
    fn add(&mut self, more: Usage) {
        self.bytes = self.bytes.saturating_add(more.bytes);
        self.files = self.files.saturating_add(more.files);
    }

    fn remove(&mut self, less: Usage) {
        self.bytes = self.bytes.saturating_sub(less.bytes);
        self.files = self.files.saturating_sub(less.files);
    }
}

impl Quota {
    /// A quota of `max_bytes` in files and `max_files` names.
    pub(crate) fn new(max_bytes: u64, max_files: u64) -> Quota {
        Quota {
            max_bytes,
            max_files,
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every state in here is a valid one, whatever happened while it was locked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes `more` out of what is left for an operation that is about to happen, or answers `ENOSPC`. `root` is the
    /// directory the quota is about.
    ///
    /// The first call measures what the directory holds. After that the count is kept; what is given back by removing and
    /// truncating is found out by measuring again, once the limit is hit.
    pub(super) fn reserve(&self, root: &File, more: Usage, watch: &Watch) -> Res<Reservation<'_>> {
        if more.bytes > self.max_bytes || more.files > self.max_files {
            return Err(Errno::Nospc.into());
        }
        let mut state = self.lock();
        let mut fresh = false;
        loop {
            let usage = match state.usage {
                Some(usage) => usage,
                None => {
                    let mut usage = self.measure(root, &mut state.open, watch)?;
                    usage.add(state.pending);
                    // What other runs are writing right now may have been counted twice.
                    state.freed = state.pending != Usage::default();
                    state.usage = Some(usage);
                    fresh = true;
                    usage
                }
            };
            let mut wanted = usage;
            wanted.add(more);
            if wanted.bytes <= self.max_bytes && wanted.files <= self.max_files {
                state.usage = Some(wanted);
                state.pending.add(more);
                return Ok(Reservation {
                    quota: self,
                    reserved: more,
                    unused: more,
                });
            }
            if fresh || !(state.freed || state.open.iter().any(|file| file.strong_count() == 0)) {
                return Err(Errno::Nospc.into());
            }
            state.usage = None;
        }
    }

    /// The same for the host.
    pub(crate) fn claim(&self, root: &File, bytes: u64, files: u64, watch: &Watch) -> std::io::Result<Reservation<'_>> {
        self.reserve(root, Usage { bytes, files }, watch)
            .map_err(|fail| match fail {
                Fail::Errno(Errno::Nospc) => std::io::ErrorKind::StorageFull.into(),
                _ => std::io::Error::other("the folder cannot be measured"),
            })
    }

    /// Notes that something was removed or truncated.
    pub(crate) fn freed(&self) {
        self.lock().freed = true;
    }

    /// Notes that a file is open: it takes up room until it is closed, even if its last name is removed.
    pub(super) fn opened(&self, file: &Arc<File>) {
        let mut state = self.lock();
        if state.open.len() == state.open.capacity() {
            let before = state.open.len();
            state.open.retain(|file| file.strong_count() > 0);
            state.freed |= state.open.len() < before;
        }
        state.open.push(Arc::downgrade(file));
    }

    fn measure(&self, root: &File, open: &mut Vec<Weak<File>>, watch: &Watch) -> Res<Usage> {
        let mut usage = Tree::measure(root, self.max_files, true, watch)?.usage;
        open.retain(|file| file.strong_count() > 0);
        for file in open.iter().filter_map(Weak::upgrade) {
            let metadata = file.metadata()?;
            if metadata.nlink() == 0 {
                usage.add(Usage {
                    bytes: metadata.len(),
                    files: 1,
                });
            }
        }
        Ok(usage)
    }
}

/// Room that was taken out of a quota. What of it was not used in the end is given back when this is dropped.
#[must_use]
pub(crate) struct Reservation<'a> {
    quota: &'a Quota,
    reserved: Usage,
    unused: Usage,
}

impl Reservation<'_> {
    /// Everything that was reserved was used.
    pub(crate) fn used(mut self) {
        self.unused = Usage::default();
    }

    /// Only so many of the bytes were used.
    pub(super) fn used_bytes(mut self, bytes: u64) {
        self.unused.bytes = self.unused.bytes.saturating_sub(bytes);
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let mut state = self.quota.lock();
        state.pending.remove(self.reserved);
        if let Some(usage) = &mut state.usage {
            usage.remove(self.unused);
        }
    }
}

/// A look at a tree of directories.
pub(super) struct Tree {
    usage: Usage,
    /// How many directories lie inside each other.
    height: usize,
}

impl Tree {
    /// What a tree is taken for that is not worth looking at any further.
    const FULL: Tree = Tree {
        usage: Usage {
            bytes: u64::MAX,
            files: u64::MAX,
        },
        height: MAX_DEPTH + 1,
    };

    /// How many directories lie inside each other below `root`, or more than any guest can make.
    pub(super) fn height(root: &File, watch: &Watch) -> Res<usize> {
        Ok(Tree::measure(root, u64::MAX, false, watch)?.height)
    }

    /// Adds up what is below `root`, with or without the sizes of files. A tree with more than `max_files` names, or deeper
    /// than any guest can make it, is as good as full.
    fn measure(root: &File, max_files: u64, sizes: bool, watch: &Watch) -> Res<Tree> {
        let mut tree = Tree {
            usage: Usage::default(),
            height: 0,
        };
        let mut pace = Pace::new(watch, 256);
        let mut stack: Vec<Dir> = vec![Dir::read_from(root).map_err(host)?];
        while let Some(dir) = stack.last_mut() {
            pace.step()?;
            let Some(entry) = dir.next() else {
                stack.pop();
                continue;
            };
            let entry = entry.map_err(host)?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            tree.usage.files += 1;
            if tree.usage.files > max_files {
                return Ok(Tree::FULL);
            }
            let here = dir.fd().map_err(host)?;
            let mut file_type = entry.file_type();
            if file_type == FileType::Unknown || sizes && file_type == FileType::RegularFile {
                match statat(here, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => {
                        file_type = FileType::from_raw_mode(stat.st_mode);
                        if file_type == FileType::RegularFile {
                            tree.usage.add(Usage {
                                bytes: u64::try_from(stat.st_size).unwrap_or(0),
                                files: 0,
                            });
                        }
                    }
                    // Somebody else removed it meanwhile.
                    Err(HostErrno::NOENT) => continue,
                    Err(error) => return Err(host(error)),
                }
            }
            if file_type == FileType::Directory {
                match open_directory(here, name) {
                    Ok(below) => stack.push(Dir::new(below).map_err(host)?),
                    Err(HostErrno::NOENT) => continue,
                    Err(error) => return Err(host(error)),
                }
                tree.height = tree.height.max(stack.len() - 1);
                if tree.height > MAX_DEPTH {
                    return Ok(Tree::FULL);
                }
            }
        }
        Ok(tree)
    }
}

/// Opens a directory for reading without following a link.
fn open_directory(at: impl AsFd, name: &std::ffi::CStr) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(at, name, flags, Mode::empty())
}

pub(super) fn host(errno: HostErrno) -> Fail {
    std::io::Error::from(errno).into()
}
