//! One builder per entry at a time, between threads and processes.
//!
//! The lock is the kernel's (`flock`) on a file beside the entry: it goes away with the process that holds it, however that ends.

use crate::error::Error;
use crate::sys;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Between attempts to get a lock somebody else holds: at first, at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));

/// Held while an entry is built or removed.
#[derive(Debug)]
pub(crate) struct BuildLock {
    /// Keeps the lock until it is closed.
    _file: File,
    path: PathBuf,
}

impl BuildLock {
    /// Waits for the lock.
    pub(crate) fn acquire(path: &Path, patience: Duration) -> Result<BuildLock, Error> {
        let (began, mut pause) = (Instant::now(), PAUSES.0);
        loop {
            if let Some(lock) = BuildLock::attempt(path)? {
                return Ok(lock);
            }
            let waited = began.elapsed();
            if waited >= patience {
                return Err(Error::Busy {
                    path: path.with_extension(""),
                    waited,
                });
            }
            std::thread::sleep(pause.min(patience - waited));
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Takes the lock if nobody has it.
    pub(crate) fn attempt(path: &Path) -> Result<Option<BuildLock>, Error> {
        loop {
            let file = sys::open_lock(path).map_err(Error::on("open", path))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(Error::on("lock", path)(error)),
            }
            // Whoever removes an entry also removes its lock file, so this may be a lock on a file nobody else can find.
            if sys::is_at(&file, path).map_err(Error::on("lock", path))? {
                return Ok(Some(BuildLock {
                    _file: file,
                    path: path.to_owned(),
                }));
            }
        }
    }

    /// Removes the lock file and gives up the lock.
    pub(crate) fn remove(self) {
        // A lock file that stays does no harm.
        let _ = sys::remove(&self.path);
    }
}

/// Marks an open entry as in use, until all handles to it are closed. False: somebody is removing it.
pub(crate) fn mark_used(file: &File) -> std::io::Result<bool> {
    match file.try_lock_shared() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Claims an open entry for removal. False: somebody uses it.
pub(crate) fn claim(file: &File) -> std::io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
