//! The folder for what ends with the server. A server that was killed could not remove its own: the next one does.
//!
//! A server holds a lock on the folder as long as it lives. Programs that clean up after days leave locked folders alone, too.

use rustix::process::geteuid;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const PREFIX: &str = "prims-server-";
/// Entries of the system's folder that are looked at; it may be anybody's, and full.
const MAX_LOOKED_AT: usize = 100_000;
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
        for (folder, _lock) in abandoned(base) {
            let _ = fs::remove_dir_all(folder);
        }
        for _ in 0..ATTEMPTS {
            let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(base)?;
            // Another server may have seen it before it was locked, and be about to remove it, or have done so.
            if let Ok(lock) = File::open(folder.path())
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

    /// Removes it, for the end of a process that does not drop what it holds.
    pub(crate) fn remove(&self) -> std::io::Result<()> {
        let remove = || match fs::remove_dir_all(self.path()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        // A run that is being stopped may still write: then there is something new in a folder that was just emptied.
        remove().or_else(|_| remove()).or_else(|_| remove())
    }
}

/// Folders of servers of this user that are gone, locked.
fn abandoned(base: &Path) -> Vec<(PathBuf, File)> {
    let entries = fs::read_dir(base).into_iter().flatten().flatten().take(MAX_LOOKED_AT);
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    ours.filter_map(|entry| Some((entry.path(), locked(&entry.path())?)))
        .collect()
}

/// The folder, if it is one of this user and nobody has locked it.
fn locked(folder: &Path) -> Option<File> {
    let flags = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::DIRECTORY).bits();
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags.cast_signed())
        .open(folder);
    let folder = opened.ok()?;
    let is_ours = folder.metadata().ok()?.uid() == geteuid().as_raw();
    (is_ours && folder.try_lock().is_ok()).then_some(folder)
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
        let (killed, foreign) = (left("prims-server-killed"), left("other"));
        let (link, file) = (
            base.path().join("prims-server-link"),
            base.path().join("prims-server-file"),
        );
        std::os::unix::fs::symlink(&foreign, &link).unwrap();
        fs::write(&file, "").unwrap();

        let made = Temporary::make(base.path()).unwrap();
        assert!(!killed.exists());
        assert!(held.path().exists() && foreign.join("deep/er").exists() && link.exists() && file.exists());
        let path = made.path().to_owned();
        made.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn servers_that_start_together_all_have_a_folder() {
        let base = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            let make = || {
                let made = Temporary::make(base.path()).unwrap();
                fs::write(made.path().join("x"), "").unwrap();
                made
            };
            let started: Vec<_> = (0..16).map(|_| scope.spawn(make)).collect();
            let made: Vec<Temporary> = started.into_iter().map(|thread| thread.join().unwrap()).collect();
            assert!(made.iter().all(|made| made.path().join("x").exists()));
        });
    }
}
