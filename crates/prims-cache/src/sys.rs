//! Every operation that changes the disk, in one place, so that tests can make each of them fail.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::SystemTime;

const NOFOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
const DIRECTORY: i32 = rustix::fs::OFlags::DIRECTORY.bits().cast_signed();
/// Opening a pipe somebody put in an entry's place must not wait for its other end.
const NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();

/// The user this process acts as.
pub(crate) fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Opens what exists for reading; a symbolic link is an error (ELOOP).
pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(NOFOLLOW | NONBLOCK)
        .open(path)
}

/// Opens a folder; anything else is an error (ENOTDIR, ELOOP).
pub(crate) fn open_dir(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(NOFOLLOW | DIRECTORY)
        .open(path)
}

/// Creates a file that must not exist.
pub(crate) fn create(path: &Path, mode: u32) -> io::Result<File> {
    fault("create")?;
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(mode)
        .custom_flags(NOFOLLOW)
        .open(path)
}

/// Opens a lock file, or creates it.
pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    fault("lock")?;
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(NOFOLLOW | NONBLOCK);
    options.open(path)
}

/// Writes some of the bytes.
pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    fault("write")?;
    file.write_at(bytes, offset)
}

/// Writes all of the bytes.
pub(crate) fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match write_at(file, bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = &bytes[written..];
                offset += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

pub(crate) fn set_len(file: &File, len: u64) -> io::Result<()> {
    fault("set_len")?;
    file.set_len(len)
}

/// Waits until a file's bytes are on the disk.
pub(crate) fn sync(file: &File) -> io::Result<()> {
    fault("sync")?;
    file.sync_data()
}

pub(crate) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fault("chmod")?;
    std::fs::set_permissions(path, Permissions::from_mode(mode))
}

pub(crate) fn set_mode_of(file: &File, mode: u32) -> io::Result<()> {
    fault("chmod")?;
    file.set_permissions(Permissions::from_mode(mode))
}

/// Sets when a file or folder was used last. Callers ignore failures, so tests need not cause them.
pub(crate) fn set_modified(file: &File, time: SystemTime) -> io::Result<()> {
    file.set_modified(time)
}

pub(crate) fn create_dir(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fault("mkdir")?;
    std::fs::DirBuilder::new().mode(0o700).create(path)
}

pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fault("rename")?;
    std::fs::rename(from, to)
}

/// Removes a file or a whole folder, read-only folders included; nothing there is fine.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let there = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let removed = if there.is_dir() {
        make_writable(path)?;
        std::fs::remove_dir_all(path)
    } else {
        std::fs::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Lets the owner remove what is in a folder and the folders below it.
fn make_writable(folder: &Path) -> io::Result<()> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        std::fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(())
}

/// Whether a path still leads to an open file or folder.
pub(crate) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match std::fs::symlink_metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether an error says that this process or system lacks something now, not that the entry is bad.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let shortages = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::INTR];
    error
        .raw_os_error()
        .is_some_and(|code| shortages.iter().any(|errno| errno.raw_os_error() == code))
}

/// In tests: fails where it was told to.
#[cfg(not(test))]
fn fault(_operation: &str) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
pub(crate) use faults::{count_operations, fail_at, fault};

#[cfg(test)]
mod faults {
    use std::cell::Cell;
    use std::io;

    thread_local! {
        /// Operations left until one fails, and how it fails.
        static FAULT: Cell<Option<(usize, i32)>> = const { Cell::new(None) };
        static COUNT: Cell<usize> = const { Cell::new(0) };
    }

    pub(crate) fn fault(_operation: &str) -> io::Result<()> {
        COUNT.set(COUNT.get() + 1);
        match FAULT.get() {
            Some((0, errno)) => Err(io::Error::from_raw_os_error(errno)),
            Some((left, errno)) => {
                FAULT.set(Some((left - 1, errno)));
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Operation `index` of this thread and all later ones fail while `body` runs.
    pub(crate) fn fail_at<R>(index: usize, errno: i32, body: impl FnOnce() -> R) -> R {
        FAULT.set(Some((index, errno)));
        let result = body();
        FAULT.set(None);
        result
    }

    /// How many operations `body` does in this thread.
    pub(crate) fn count_operations(body: impl FnOnce()) -> usize {
        COUNT.set(0);
        body();
        COUNT.get()
    }
}
