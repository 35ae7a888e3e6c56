//! The folder for what ends with the server. A server that was killed could not remove its own: the next one does.

use rustix::process::geteuid;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

const PREFIX: &str = "prims-sessions-";
/// Held by the server as long as it lives.
const LOCK: &str = "lock";
/// Entries of the system's folder that are looked at; it may be anybody's, and full.
const MAX_LOOKED_AT: usize = 100_000;
/// A folder without a lock is one that is being made, unless it is older than this.
const UNFINISHED: Duration = Duration::from_secs(3600);
/// How often a folder is made that another server takes for one that was left behind.
const ATTEMPTS: usize = 8;

/// A private folder that goes with this value, or with the next server's start.
pub(crate) struct Temporary {
    folder: TempDir,
    _lock: File,
}

impl Temporary {
    /// Makes one below `base`, the system's folder for temporary files, and removes those that nobody holds any more.
    pub(crate) fn make(base: &Path) -> std::io::Result<Temporary> {
        abandoned(base).iter().for_each(|folder| {
            let _ = fs::remove_dir_all(folder);
        });
        for _ in 0..ATTEMPTS {
            let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(base)?;
            let mut options = OpenOptions::new();
            let lock = options.write(true).create_new(true).open(folder.path().join(LOCK));
            // Another server may have looked at it just now, and be about to remove it.
            if let Ok(lock) = lock
                && lock.try_lock().is_ok()
                && lock.metadata()?.nlink() > 0
            {
                return Ok(Temporary { folder, _lock: lock });
            }
        }
        Err(std::io::Error::other("other servers remove the temporary folder"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Removes everything in it, for the end of a process that does not drop what it holds.
    pub(crate) fn remove(&self) {
        let _ = fs::remove_dir_all(self.path());
    }
}

/// Folders of servers of this user that are gone.
fn abandoned(base: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(base).into_iter().flatten().flatten().take(MAX_LOOKED_AT);
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    ours.map(|entry| entry.path())
        .filter(|folder| is_abandoned(folder).unwrap_or(false))
        .collect()
}

fn is_abandoned(folder: &Path) -> std::io::Result<bool> {
    let found = fs::symlink_metadata(folder)?;
    if !found.is_dir() || found.uid() != geteuid().as_raw() {
        return Ok(false);
    }
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    match OpenOptions::new()
        .write(true)
        .custom_flags(no_follow)
        .open(folder.join(LOCK))
    {
        // Released again at once; whoever makes a folder looks whether it is still there after it has locked it.
        Ok(lock) => match lock.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let age = SystemTime::now().duration_since(found.modified()?);
            Ok(age.is_ok_and(|age| age > UNFINISHED))
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_nobody_holds_go_when_another_is_made() {
        let base = tempfile::tempdir().unwrap();
        let held = Temporary::make(base.path()).unwrap();
        let left = |name: &str| {
            let folder = base.path().join(name);
            fs::create_dir_all(folder.join("deep/er")).unwrap();
            folder
        };
        let killed = left("prims-sessions-killed");
        fs::write(killed.join(LOCK), "").unwrap();
        let (unfinished, foreign) = (left("prims-sessions-unfinished"), left("other"));
        let old = left("prims-sessions-old");
        let long_ago = SystemTime::now() - 2 * UNFINISHED;
        File::open(&old).unwrap().set_modified(long_ago).unwrap();
        std::os::unix::fs::symlink(&foreign, base.path().join("prims-sessions-link")).unwrap();

        let made = Temporary::make(base.path()).unwrap();
        assert!(!killed.exists() && !old.exists());
        assert!(held.path().exists() && unfinished.exists() && foreign.join("deep/er").exists());
        let path = made.path().to_owned();
        made.remove();
        assert!(!path.exists());
    }
}
