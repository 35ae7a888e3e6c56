//! Looking after the whole cache: what is in it, what is broken, what can go.

use crate::dir;
use crate::error::{Broken, Error};
use crate::file;
use crate::key::{self, HEX_LEN};
use crate::lock::{self, BuildLock};
use crate::store::{Cache, Look, TRASH, is_kind, remove_unused};
use crate::sys;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What is in the cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// Each kind of entry, by name.
    pub kinds: Vec<KindInfo>,
}

/// What there is of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindInfo {
    /// Its name.
    pub kind: String,
    /// How many entries.
    pub entries: u64,
    /// Bytes they take on the disk.
    pub bytes: u64,
}

/// What [`Cache::trim`] lets stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Entries that were not used for longer than this go. Times of use are exact to a quarter of an hour.
    pub unused_for: Option<Duration>,
    /// Bytes on the disk that may stay; beyond it, what was used longest ago goes first.
    pub bytes: Option<u64>,
}

/// What [`Cache::clean`] or [`Cache::trim`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Entries that were removed.
    pub removed: u64,
    /// Bytes they took on the disk.
    pub bytes: u64,
    /// Entries that stay because a process uses or builds them.
    pub in_use: u64,
}

/// What [`Cache::verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Entries that are as they were published.
    pub intact: u64,
    /// The others. They stay where they are: whoever needs one rebuilds it.
    pub broken: Vec<BrokenEntry>,
}

/// An entry that is not as it was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenEntry {
    /// Its kind.
    pub kind: String,
    /// Its key, in hexadecimal.
    pub key: String,
    /// What is wrong with it.
    pub reason: Broken,
}

/// A file or folder of the cache, by its name.
struct Listed {
    kind: String,
    path: PathBuf,
    part: Part,
}

#[derive(PartialEq)]
enum Part {
    Entry,
    Lock,
    Unfinished,
}

impl Cache {
    /// Counts entries and the bytes they take.
    ///
    /// # Errors
    /// What the system says when a folder cannot be listed.
    pub fn info(&self) -> Result<Info, Error> {
        let mut info = Info::default();
        for listed in self.list()?.into_iter().filter(|listed| listed.part == Part::Entry) {
            if info.kinds.last().is_none_or(|last| last.kind != listed.kind) {
                info.kinds.push(KindInfo {
                    kind: listed.kind,
                    entries: 0,
                    bytes: 0,
                });
            }
            if let Some(kind) = info.kinds.last_mut() {
                kind.entries += 1;
                kind.bytes += disk_usage(&listed.path);
            }
        }
        Ok(info)
    }

    /// Removes every entry that no process uses or builds, and what killed processes left behind.
    ///
    /// # Errors
    /// What the system says when something cannot be removed.
    pub fn clean(&self) -> Result<Cleaned, Error> {
        let mut cleaned = Cleaned::default();
        for listed in self.list()? {
            self.remove(&listed, &mut cleaned)?;
        }
        self.empty_trash();
        Ok(cleaned)
    }

    /// Removes what the retention does not let stay, the entries used longest ago first, and what killed processes left behind. What
    /// a process uses or builds stays, whatever its age.
    ///
    /// # Errors
    /// What the system says when something cannot be removed.
    pub fn trim(&self, retention: &Retention) -> Result<Cleaned, Error> {
        let mut cleaned = Cleaned::default();
        let now = SystemTime::now();
        let (mut entries, mut total) = (vec![], 0u64);
        for listed in self.list()? {
            match listed.part {
                // The lock of an entry goes with it.
                Part::Lock if listed.path.with_extension("").exists() => {}
                Part::Lock | Part::Unfinished => {
                    self.remove(&listed, &mut cleaned)?;
                }
                Part::Entry => {
                    let bytes = disk_usage(&listed.path);
                    let used = std::fs::symlink_metadata(&listed.path).and_then(|found| found.modified());
                    total += bytes;
                    entries.push((used.unwrap_or(SystemTime::UNIX_EPOCH), bytes, listed));
                }
            }
        }
        entries.sort_by_key(|(used, ..)| *used);
        for (used, bytes, listed) in entries {
            let unused_for = now.duration_since(used).unwrap_or_default();
            let is_old = retention.unused_for.is_some_and(|limit| unused_for > limit);
            let is_too_much = retention.bytes.is_some_and(|limit| total > limit);
            if (is_old || is_too_much) && self.remove(&listed, &mut cleaned)? {
                total = total.saturating_sub(bytes);
            }
        }
        self.empty_trash();
        Ok(cleaned)
    }

    /// Removes one thing of the list unless somebody uses it or is about to; true when it is gone.
    fn remove(&self, listed: &Listed, cleaned: &mut Cleaned) -> Result<bool, Error> {
        let entry = listed.path.with_extension("");
        // Whoever builds or is about to build the entry has this lock.
        let Some(lock) = BuildLock::attempt(&entry.with_extension("lock"))? else {
            cleaned.in_use += u64::from(listed.part == Part::Entry);
            return Ok(false);
        };
        match listed.part {
            Part::Entry => match claim(&entry).map_err(Error::on("lock", &entry))? {
                Claim::Gone => {}
                Claim::InUse => {
                    cleaned.in_use += 1;
                    return Ok(false);
                }
                Claim::Ours(_claimed) => {
                    let bytes = disk_usage(&entry);
                    self.discard(&entry)?;
                    cleaned.removed += 1;
                    cleaned.bytes += bytes;
                }
            },
            Part::Unfinished => sys::remove(&listed.path).map_err(Error::on("remove", &listed.path))?,
            Part::Lock => {}
        }
        lock.remove();
        Ok(true)
    }

    /// Verifies every entry completely.
    ///
    /// # Errors
    /// What the system says when a folder cannot be listed.
    pub fn verify(&self) -> Result<Verified, Error> {
        let mut verified = Verified::default();
        for listed in self.list()?.into_iter().filter(|listed| listed.part == Part::Entry) {
            let Listed { kind, path, .. } = listed;
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default()
                .to_owned();
            let Some(id) = key::unhex_id(&name) else { continue };
            let is_dir = std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir());
            let broken = if is_dir {
                broken(dir::look(&path, &kind, &id, None)?)
            } else {
                broken(file::look(&path, &kind, &id)?)
            };
            match broken {
                None => {}
                Some(None) => verified.intact += 1,
                Some(Some(reason)) => verified.broken.push(BrokenEntry {
                    kind,
                    key: name,
                    reason,
                }),
            }
        }
        Ok(verified)
    }

    /// Removes what killed builders left. Failing to is no reason not to build.
    pub(crate) fn sweep(&self) {
        for listed in self
            .list()
            .unwrap_or_default()
            .into_iter()
            .filter(|listed| listed.part == Part::Unfinished)
        {
            if let Ok(Some(_lock)) = BuildLock::attempt(&listed.path.with_extension("lock")) {
                let _ = sys::remove(&listed.path);
            }
        }
        self.empty_trash();
    }

    fn empty_trash(&self) {
        for entry in std::fs::read_dir(self.shared.entries.join(TRASH))
            .into_iter()
            .flatten()
            .flatten()
        {
            remove_unused(&entry.path());
        }
    }

    /// Everything of ours, by kind. Other files are left alone.
    fn list(&self) -> Result<Vec<Listed>, Error> {
        let mut listed = vec![];
        for kind in names(&self.shared.entries)?.into_iter().filter(|name| is_kind(name)) {
            let folder = self.shared.entries.join(&kind);
            for name in names(&folder)? {
                let (stem, extension) = name.split_once('.').unwrap_or((&name, ""));
                let part = match extension {
                    "" if !name.contains('.') => Part::Entry,
                    "lock" => Part::Lock,
                    "tmp" => Part::Unfinished,
                    _ => continue,
                };
                if stem.len() == HEX_LEN && key::unhex_id(stem).is_some() {
                    listed.push(Listed {
                        kind: kind.clone(),
                        path: folder.join(&name),
                        part,
                    });
                }
            }
        }
        Ok(listed)
    }
}

/// Nothing there, intact, or broken.
fn broken<T>(look: Look<T>) -> Option<Option<Broken>> {
    match look {
        Look::Missing => None,
        Look::Entry(_) => Some(None),
        Look::Broken(reason) => Some(Some(reason)),
    }
}

/// Names in a folder, sorted; nothing where there is no folder.
fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let listed = match std::fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(vec![]);
        }
        other => other.map_err(Error::on("read", folder))?,
    };
    let mut names = vec![];
    for entry in listed {
        if let Ok(name) = entry.map_err(Error::on("read", folder))?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

enum Claim {
    Gone,
    InUse,
    Ours(Option<std::fs::File>),
}

/// Makes sure nobody uses an entry, nor begins to while the result is alive.
fn claim(entry: &Path) -> io::Result<Claim> {
    let there = match std::fs::symlink_metadata(entry) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Claim::Gone),
        other => other?,
    };
    let opened = if there.is_dir() {
        sys::open_dir(entry)
    } else {
        sys::open(entry)
    };
    match opened {
        Ok(opened) => Ok(if lock::claim(&opened)? {
            Claim::Ours(Some(opened))
        } else {
            Claim::InUse
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Claim::Gone),
        // A link or something unreadable: nobody can be using it.
        Err(_) => Ok(Claim::Ours(None)),
    }
}

/// Bytes a file or folder takes on the disk, as far as can be seen.
fn disk_usage(path: &Path) -> u64 {
    let Ok(found) = std::fs::symlink_metadata(path) else {
        return 0;
    };
    let below = if found.is_dir() {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| disk_usage(&entry.path())).sum()
    } else {
        0
    };
    found.blocks() * 512 + below
}
