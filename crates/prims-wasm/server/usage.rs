//! How much all workspaces hold together.
//!
//! Measuring a workspace means looking at every file in it, so it is put off: one that may have changed counts as full until the sum
//! of such guesses is too much, and only then what changed is looked at. A server that is far from its bound never measures anything.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Names looked at in one workspace; more than any may have.
const MAX_NAMES: usize = 1_000_000;

/// What workspaces hold, by their folders on the host.
pub(crate) struct Usage {
    /// Bytes that all of them may hold.
    most: u64,
    /// Bytes that one of them can hold.
    each: u64,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Bytes, if nothing was written since they were counted.
    folders: HashMap<PathBuf, Option<u64>>,
    /// Sum of those that are known.
    counted: u64,
    /// How many are not.
    unknown: u64,
}

impl Known {
    fn set(&mut self, folder: &Path, bytes: Option<u64>) {
        self.remove(folder);
        self.folders.insert(folder.to_owned(), bytes);
        match bytes {
            Some(bytes) => self.counted += bytes,
            None => self.unknown += 1,
        }
    }

    fn remove(&mut self, folder: &Path) {
        match self.folders.remove(folder) {
            Some(Some(bytes)) => self.counted -= bytes,
            Some(None) => self.unknown -= 1,
            None => {}
        }
    }
}

/// There is as much as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the workspaces of this server hold {held} bytes, expected less than {most} before more is written")]
pub(crate) struct Full {
    held: u64,
    most: u64,
}

impl Usage {
    pub(crate) fn new(most: u64, each: u64) -> Usage {
        Usage {
            most,
            each,
            known: Mutex::default(),
        }
    }

    /// Notes that something may be written to a workspace.
    pub(crate) fn changes(&self, folder: &Path) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.folders.get(folder) != Some(&None) {
            known.set(folder, None);
        }
    }

    /// Notes that a workspace is gone.
    pub(crate) fn gone(&self, folder: &Path) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(folder);
    }

    /// Whether there is room: what is written by calls under way comes on top, each bounded by what one workspace may hold.
    pub(crate) fn room(&self) -> Result<(), Full> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let guess = known.counted.saturating_add(known.unknown.saturating_mul(self.each));
        if guess < self.most {
            return Ok(());
        }
        // Whatever ended by itself is noticed here.
        let folders: Vec<(PathBuf, Option<u64>)> = known.folders.clone().into_iter().collect();
        for (folder, bytes) in folders {
            match bytes {
                _ if !folder.exists() => known.remove(&folder),
                None => known.set(&folder, Some(held(&folder))),
                Some(_) => {}
            }
        }
        let (held, most) = (known.counted, self.most);
        if held < most { Ok(()) } else { Err(Full { held, most }) }
    }
}

/// Bytes of the files below a folder. Links are not followed; what cannot be read is not counted.
fn held(folder: &Path) -> u64 {
    let (mut folders, mut bytes, mut names) = (vec![folder.to_owned()], 0, 0);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            names += 1;
            if names > MAX_NAMES {
                return bytes;
            }
            match entry.metadata() {
                Ok(found) if found.is_dir() => folders.push(entry.path()),
                Ok(found) if found.is_file() => bytes += found.len(),
                _ => {}
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_counted_when_the_guess_is_too_much() {
        let base = tempfile::tempdir().unwrap();
        let workspace = |name: &str, bytes: usize| {
            let folder = base.path().join(name);
            fs::create_dir_all(folder.join("below")).unwrap();
            fs::write(folder.join("below/file"), vec![0; bytes]).unwrap();
            folder
        };
        let usage = Usage::new(1000, 600);
        let (one, other) = (workspace("one", 500), workspace("other", 400));
        usage.changes(&one);
        usage.changes(&one);
        assert_eq!(usage.room(), Ok(()));
        usage.changes(&other);
        assert_eq!(usage.room(), Ok(()));
        // A link to another workspace is not that workspace.
        std::os::unix::fs::symlink(&one, other.join("link")).unwrap();
        fs::write(other.join("more"), [0; 100]).unwrap();
        assert_eq!(usage.room(), Ok(()), "nobody said that it changed");
        usage.changes(&other);
        assert_eq!(usage.room(), Err(Full { held: 1000, most: 1000 }));
        fs::remove_dir_all(&one).unwrap();
        assert_eq!(usage.room(), Ok(()));
        usage.changes(&other);
        usage.gone(&other);
        let known = usage.known.lock().unwrap();
        assert_eq!((known.counted, known.unknown, known.folders.len()), (0, 0, 0));
    }
}
