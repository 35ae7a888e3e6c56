//! Files that callers name by an identifier: what runs leave, and what is uploaded for them.
//!
//! ```text
//! <folder>/secret         32 random bytes
//! <folder>/files/<id>     content; its time of change is when it was used last
//! <folder>/spool/         content that is being written
//! ```
//!
//! An identifier is a digest of the content under a key that is made of the secret and the caller. So the same content of the same
//! caller is kept once, an identifier cannot be computed by who knows the content, another caller's identifier names nothing, and
//! content that has been damaged is noticed: one comparison decides all of it. A file appears under its name by one rename.

use crate::auth::Caller;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Files there may be, however small they are.
const MAX_FILES: usize = 100_000;
/// Hexadecimal digits of an identifier.
const DIGITS: usize = 64;
/// Nothing takes this long to be written.
const ABANDONED: Duration = Duration::from_secs(3600);
/// Read at a time.
const PIECE: usize = 64 << 10;

/// What the store may hold.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Bytes of all files. What was used longest ago makes room.
    pub bytes: u64,
    /// A file that was not used for this long is gone.
    pub unused_for: Duration,
}

/// Why a file cannot be kept or had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// There is none of that name, it expired, or it is somebody else's.
    #[error("no file `{0}`, or it has expired")]
    Unknown(String),
    /// It is larger than it may be.
    #[error("a file has more than {0} bytes")]
    TooLarge(u64),
    /// The host failed.
    #[error("cannot use the folder of files")]
    Io(#[from] std::io::Error),
}

/// Keeps files. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Shared>);

struct Shared {
    folder: PathBuf,
    secret: [u8; 32],
    retention: Retention,
    /// Bytes and number of files, measured when the store was opened and when it was trimmed last.
    held: Mutex<(u64, usize)>,
    /// Removed with the last clone, if it is a folder for this process only.
    _temporary: Option<tempfile::TempDir>,
}

impl Store {
    /// A store in `folder`, which is made if it is not there; without one the files end with the process.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(folder: Option<&Path>, retention: Retention) -> std::io::Result<Store> {
        let temporary = match folder {
            Some(_) => None,
            None => Some(tempfile::Builder::new().prefix("prims-files-").tempdir()?),
        };
        let made = temporary.as_ref().map(tempfile::TempDir::path);
        let folder = folder.or(made).unwrap_or(Path::new("")).to_owned();
        for part in ["spool", "files"] {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder.join(part))?;
        }
        // What a process that was killed was writing.
        remove_older(&folder.join("spool"), ABANDONED)?;
        let store = Store(Arc::new(Shared {
            secret: secret(&folder)?,
            folder,
            retention,
            held: Mutex::default(),
            _temporary: temporary,
        }));
        store.trim(&mut store.held(), None)?;
        Ok(store)
    }

    fn held(&self) -> MutexGuard<'_, (u64, usize)> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what `content` has, and gives its identifier.
    pub(crate) fn save(&self, caller: &Caller, content: &mut dyn Read) -> Result<String, Error> {
        let spooled = self.spool()?;
        let mut hasher = self.hasher(caller);
        let length = copy(content, &mut hasher, Some(&spooled), self.0.retention.bytes)?;
        let id = hasher.finalize().to_hex().to_string();
        let path = self.path(&id);
        let there = || fs::metadata(&path).ok().map(|there| there.len());
        let mut held = self.held();
        // Also over the same file: that may be damaged, and is used now. It needs no room but for what was cut off.
        match there() {
            Some(before) if before >= length => {}
            before => self.make_room(&mut held, length - before.unwrap_or(0), before.is_none())?,
        }
        let replaced = there();
        fs::rename(spooled.path(), &path)?;
        held.0 = held.0.saturating_sub(replaced.unwrap_or(0)) + length;
        held.1 += usize::from(replaced.is_none());
        Ok(id)
    }

    /// A file of this caller that has at most `most` bytes, open at its beginning, and its length.
    pub(crate) fn get(&self, caller: &Caller, id: &str, most: u64) -> Result<(File, u64), Error> {
        let unknown = || Error::Unknown(id.chars().take(DIGITS).collect());
        let is_one = id.len() == DIGITS && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_one {
            return Err(unknown());
        }
        let mut file = match File::open(self.path(id)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(unknown()),
            file => file?,
        };
        let age = file.metadata()?.modified()?.elapsed().unwrap_or_default();
        let mut hasher = self.hasher(caller);
        let length = copy(&mut file, &mut hasher, None, most)?;
        if age >= self.0.retention.unused_for || hasher.finalize().to_hex().as_str() != id {
            return Err(unknown());
        }
        file.seek(SeekFrom::Start(0))?;
        file.set_modified(SystemTime::now())?;
        Ok((file, length))
    }

    /// Removes what was not used for too long.
    pub(crate) fn expire(&self) -> std::io::Result<()> {
        self.trim(&mut self.held(), None)
    }

    fn path(&self, id: &str) -> PathBuf {
        self.0.folder.join("files").join(id)
    }

    fn hasher(&self, caller: &Caller) -> blake3::Hasher {
        // A caller without a name is not one with the empty name.
        let name = caller.0.as_ref().map_or(String::new(), |name| format!("caller {name}"));
        let key = blake3::keyed_hash(&self.0.secret, name.as_bytes());
        blake3::Hasher::new_keyed(key.as_bytes())
    }

    fn spool(&self) -> std::io::Result<tempfile::NamedTempFile> {
        tempfile::NamedTempFile::new_in(self.0.folder.join("spool"))
    }

    /// Makes `more` bytes fit, in a file that `is_new` or in one that is there. Looks at every file only when it must.
    fn make_room(&self, held: &mut (u64, usize), more: u64, is_new: bool) -> std::io::Result<()> {
        if held.0 + more <= self.0.retention.bytes && (held.1 < MAX_FILES || !is_new) {
            return Ok(());
        }
        self.trim(held, Some(more))
    }

    /// Removes what has expired, and then what was used longest ago until as much fits as is asked for.
    fn trim(&self, held: &mut (u64, usize), more: Option<u64>) -> std::io::Result<()> {
        let most = self.0.retention.bytes;
        let now = SystemTime::now();
        let mut files = vec![];
        for entry in fs::read_dir(self.0.folder.join("files"))?.flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            files.push((metadata.modified().unwrap_or(now), metadata.len(), entry.path()));
        }
        files.sort_unstable();
        let (mut bytes, mut count) = (files.iter().map(|file| file.1).sum::<u64>(), files.len());
        for (used, length, path) in files {
            let expired = now.duration_since(used).unwrap_or_default() >= self.0.retention.unused_for;
            // A tenth more than needed, so that the next file does not look at all of them again.
            let full = more.is_some_and(|more| bytes + more > most - most / 10 || count >= MAX_FILES - MAX_FILES / 10);
            if !expired && !full && bytes <= most {
                continue;
            }
            remove(&path)?;
            (bytes, count) = (bytes - length, count - 1);
        }
        *held = (bytes, count);
        Ok(())
    }
}

/// Removes files that were not written to for some time.
fn remove_older(folder: &Path, time: Duration) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        if modified.is_ok_and(|modified| modified.elapsed().unwrap_or_default() >= time) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a file, unless another process has.
fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Reads everything into the digest and maybe a file, up to a number of bytes.
fn copy(
    from: &mut dyn Read,
    hasher: &mut blake3::Hasher,
    to: Option<&tempfile::NamedTempFile>,
    most: u64,
) -> Result<u64, Error> {
    let (mut buffer, mut length) = (vec![0; PIECE], 0);
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(length),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        length += read as u64;
        if length > most {
            return Err(Error::TooLarge(most));
        }
        hasher.update(&buffer[..read]);
        if let Some(file) = to {
            file.as_file().write_all(&buffer[..read])?;
        }
    }
}

/// The secret of a folder; a new one is made, whole or not at all, if it has none.
fn secret(folder: &Path) -> std::io::Result<[u8; 32]> {
    let path = folder.join("secret");
    let read = || -> std::io::Result<[u8; 32]> {
        let mut bytes = [0; 32];
        File::open(&path)?.read_exact(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        found => return found,
    }
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    let new = folder.join(format!("spool/secret-{}", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(&bytes)?;
    // Not over another process's, which came first.
    let linked = fs::hard_link(&new, &path);
    fs::remove_file(&new)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => read(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retention(bytes: u64) -> Retention {
        Retention {
            bytes,
            unused_for: Duration::from_secs(3600),
        }
    }

    fn caller(name: &str) -> Caller {
        Caller(Some(name.to_owned()))
    }

    fn text(store: &Store, caller: &Caller, id: &str) -> Option<String> {
        let (mut file, length) = store.get(caller, id, 1000).ok()?;
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text.len() as u64, length);
        Some(text)
    }

    #[test]
    fn content_is_kept_once_for_each_caller_and_seen_by_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(Some(folder.path()), retention(1000)).unwrap();
        let (alice, bob, nobody) = (caller("alice"), caller("bob"), Caller(None));
        let id = store.save(&alice, &mut "text".as_bytes()).unwrap();
        assert_eq!(store.save(&alice, &mut "text".as_bytes()).unwrap(), id);
        let other = store.save(&bob, &mut "text".as_bytes()).unwrap();
        assert_ne!(other, id);
        assert_ne!(id, blake3::hash(b"text").to_hex().to_string());
        assert_eq!(text(&store, &alice, &id).as_deref(), Some("text"));
        assert_eq!(text(&store, &bob, &id), None);
        assert_eq!(text(&store, &nobody, &id), None);
        assert_eq!(*store.held(), (8, 2));
        // Another process goes on with it, and removes what the last one was writing.
        drop(store);
        for (name, age) in [("abandoned", 3601), ("written", 1)] {
            let file = File::create(folder.path().join("spool").join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        let store = Store::open(Some(folder.path()), retention(1000)).unwrap();
        assert_eq!(text(&store, &alice, &id).as_deref(), Some("text"));
        assert_eq!(*store.held(), (8, 2));
        assert!(!folder.path().join("spool/abandoned").exists() && folder.path().join("spool/written").exists());
    }

    #[test]
    fn what_is_no_identifier_names_nothing() {
        let store = Store::open(None, retention(1000)).unwrap();
        let zeros = "0".repeat(64);
        for id in [
            "",
            "..",
            "../secret",
            "secret",
            &zeros,
            &"A".repeat(64),
            &"a".repeat(63),
            &format!("{}/", &zeros[1..]),
        ] {
            assert!(
                matches!(store.get(&Caller(None), id, 1000), Err(Error::Unknown(_))),
                "{id}"
            );
        }
    }

    #[test]
    fn what_was_used_longest_ago_makes_room() {
        let store = Store::open(None, retention(100)).unwrap();
        let nobody = Caller(None);
        let save = |byte: u8| store.save(&nobody, &mut &[byte; 30][..]).unwrap();
        let ids: Vec<String> = (0..3).map(save).collect();
        for (at, age) in [(0, 10), (1, 30), (2, 20)] {
            let file = File::open(store.path(&ids[at])).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        save(3);
        let there: Vec<bool> = ids.iter().map(|id| store.get(&nobody, id, 1000).is_ok()).collect();
        assert_eq!(there, [true, false, true]);
        assert!(store.held().0 <= 100);
        assert!(matches!(
            store.save(&nobody, &mut &[0; 101][..]),
            Err(Error::TooLarge(100))
        ));
        assert_eq!(fs::read_dir(store.0.folder.join("spool")).unwrap().count(), 0);
    }

    #[test]
    fn what_is_there_already_needs_no_room() {
        let store = Store::open(None, retention(100)).unwrap();
        let nobody = Caller(None);
        let (one, other) = ([1; 60], [2; 40]);
        let ids = [&one[..], &other].map(|content| store.save(&nobody, &mut &*content).unwrap());
        assert_eq!(*store.held(), (100, 2));
        // A file that was cut off is made whole.
        File::options()
            .write(true)
            .open(store.path(&ids[1]))
            .and_then(|file| file.set_len(10))
            .unwrap();
        store.expire().unwrap();
        assert_eq!(*store.held(), (70, 2));
        for content in [&one[..], &other, &one] {
            store.save(&nobody, &mut &*content).unwrap();
        }
        assert_eq!(*store.held(), (100, 2));
        assert!(ids.iter().all(|id| store.get(&nobody, id, 100).is_ok()));
        // Nothing is a file as well.
        store.save(&nobody, &mut &[][..]).unwrap();
        assert_eq!(store.held().1, 3);
    }

    #[test]
    fn old_and_damaged_files_are_gone() {
        let store = Store::open(None, retention(100)).unwrap();
        let nobody = Caller(None);
        let old = store.save(&nobody, &mut "old".as_bytes()).unwrap();
        let file = File::open(store.path(&old)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3601))
            .unwrap();
        assert!(store.get(&nobody, &old, 1000).is_err());
        store.expire().unwrap();
        assert!(!store.path(&old).exists());
        let damaged = store.save(&nobody, &mut "whole".as_bytes()).unwrap();
        fs::write(store.path(&damaged), "whale").unwrap();
        assert!(matches!(store.get(&nobody, &damaged, 1000), Err(Error::Unknown(_))));
        assert_eq!(store.save(&nobody, &mut "whole".as_bytes()).unwrap(), damaged);
        assert_eq!(text(&store, &nobody, &damaged).as_deref(), Some("whole"));
        assert!(matches!(store.get(&nobody, &damaged, 4), Err(Error::TooLarge(4))));
    }
}
