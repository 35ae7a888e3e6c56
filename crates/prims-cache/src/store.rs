//! The cache itself: find an entry, or build it once.

use crate::dir::{self, DirEntry, DirWriter};
use crate::error::{Broken, Error};
use crate::file::{self, EntryWriter, FileEntry};
use crate::key::{self, Id, Key};
use crate::location::{Location, unique};
use crate::lock::{self, BuildLock};
use crate::seed::Seed;
use crate::sys;
use crate::usage;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

/// How long a caller waits for somebody else who builds the same entry, unless told otherwise. Building takes seconds.
const PATIENCE: Duration = Duration::from_secs(600);

/// Where removed entries go first, so that removing them is one step for everybody who looks.
pub(crate) const TRASH: &str = ".trash";

/// A cache. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Cache {
    pub(crate) shared: Arc<Shared>,
    patience: Duration,
    seed: Option<Seed>,
}

pub(crate) struct Shared {
    pub(crate) entries: PathBuf,
    location: Location,
    found: AtomicU64,
    built: AtomicU64,
    rebuilt: AtomicU64,
    /// Folder entries this process has verified completely, see [`DirEntry`].
    pub(crate) verified: Mutex<HashMap<PathBuf, dir::Stamp>>,
    kept: Mutex<HashMap<PathBuf, DirEntry>>,
    swept: Once,
}

/// How often entries were found and built through a [`Cache`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Entries that were there.
    pub found: u64,
    /// Entries that were built, or taken over from the seed, because there was none.
    pub built: u64,
    /// Entries that were built because the one that was there was broken.
    pub rebuilt: u64,
}

/// Where an entry comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was there.
    Found,
    /// It was built now.
    Built,
    /// It was taken over from the seed now.
    Seeded,
    /// It was built now, because the one that was there was broken.
    Rebuilt(Broken),
}

/// What a look at an entry's name found.
pub(crate) enum Look<T> {
    Missing,
    Broken(Broken),
    Entry(T),
}

impl Cache {
    /// Opens the cache: at `path`, else where `PRIMS_CACHE_DIR` says, else in the user's cache folder (`$XDG_CACHE_HOME/prims-wasm`,
    /// `~/.cache/prims-wasm`, on macOS `~/Library/Caches/prims-wasm`). Where that last one cannot be written, a private folder
    /// among the temporary files is used and [`Cache::location`] says so.
    ///
    /// # Errors
    /// [`Error::Unwritable`] when a folder that was asked for cannot be written, [`Error::Insecure`] when others can write it.
    pub fn open(path: Option<&Path>) -> Result<Cache, Error> {
        let location = Location::find(path, |name| std::env::var_os(name))?;
        let shared = Shared {
            entries: location.entries(),
            location,
            found: AtomicU64::new(0),
            built: AtomicU64::new(0),
            rebuilt: AtomicU64::new(0),
            verified: Mutex::default(),
            kept: Mutex::default(),
            swept: Once::new(),
        };
        Ok(Cache {
            shared: Arc::new(shared),
            patience: PATIENCE,
            seed: None,
        })
    }

    /// The same cache, which waits this long for somebody else who builds an entry it needs (10 minutes otherwise).
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Cache {
        Cache { patience, ..self }
    }

    /// The same cache, which takes file entries it lacks from `seed` before it has them built.
    #[must_use]
    pub fn with_seed(self, seed: Seed) -> Cache {
        Cache {
            seed: Some(seed),
            ..self
        }
    }

    /// Where the cache lies and why there.
    pub fn location(&self) -> &Location {
        &self.shared.location
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let shared = &self.shared;
        Counters {
            found: read(&shared.found),
            built: read(&shared.built),
            rebuilt: read(&shared.rebuilt),
        }
    }

    /// The file entry with this kind and key, verified; built first where there is none or a broken one.
    ///
    /// `build` runs at most once at a time for a key, over all threads and processes; whoever else asks waits. It must write the
    /// same entry whenever the key is the same. When it fails, or panics, nothing is published.
    ///
    /// # Errors
    /// What `build` returns, or an [`Error`] of the cache's own. When a write of the builder failed, that is what is reported,
    /// whatever the builder made of it.
    pub fn file<E: From<Error>>(
        &self,
        kind: &str,
        key: &Key,
        build: impl FnOnce(&mut EntryWriter) -> Result<(), E>,
    ) -> Result<FileEntry, E> {
        let name = self.name(kind, key)?;
        let look = || file::look(&name.path, kind, &name.id);
        self.find_or_build(&name, look, |temporary, origin| {
            let ahead = self.seed.as_ref().and_then(|seed| seed.entry(kind, &name.id));
            if let Some(ahead) = ahead
                && let Some(entry) = file::adopt(&ahead, kind, &name.id, temporary, &name.path)?
            {
                return Ok(entry);
            }
            write_file(kind, &name, temporary, origin, build)
        })
    }

    /// The folder entry with this kind and key, verified; built first where there is none or a broken one. See [`Cache::file`] for
    /// what is promised about `build`, and [`DirEntry`] for what is verified when.
    ///
    /// # Errors
    /// As [`Cache::file`].
    pub fn dir<E: From<Error>>(
        &self,
        kind: &str,
        key: &Key,
        build: impl FnOnce(&mut DirWriter) -> Result<(), E>,
    ) -> Result<DirEntry, E> {
        let name = self.name(kind, key)?;
        let look = || dir::look(&name.path, kind, &name.id, Some(&self.shared.verified));
        self.find_or_build(&name, look, |temporary, origin| {
            let mut writer = DirWriter::create(temporary)?;
            let built = build(&mut writer);
            writer.check()?;
            built?;
            Ok(writer.publish(kind, &name.id, temporary, &name.path, origin, &self.shared.verified)?)
        })
    }

    /// The file entry with this kind and key, verified, if there is a sound one. Nothing is built.
    ///
    /// # Errors
    /// What the system says when it cannot be read now.
    pub fn find(&self, kind: &str, key: &Key) -> Result<Option<FileEntry>, Error> {
        let name = self.name(kind, key)?;
        match file::look(&name.path, kind, &name.id)? {
            Look::Entry(entry) => Ok(Some(self.found(entry))),
            Look::Missing | Look::Broken(_) => Ok(None),
        }
    }

    /// Publishes a file entry under a name that may have one already, for content that changes, such as a page of an index. It
    /// takes the other's place by one rename: a reader has the old entry or the new one, and whoever has the old one open keeps it.
    ///
    /// # Errors
    /// As [`Cache::file`]; then the old entry is still there.
    pub fn replace<E: From<Error>>(
        &self,
        kind: &str,
        key: &Key,
        build: impl FnOnce(&mut EntryWriter) -> Result<(), E>,
    ) -> Result<FileEntry, E> {
        let name = self.name(kind, key)?;
        self.create_parent(&name.path)?;
        let _lock = BuildLock::acquire(&name.path.with_extension("lock"), self.patience)?;
        let broken = match file::look(&name.path, kind, &name.id)? {
            Look::Entry(_) | Look::Missing => None,
            Look::Broken(reason) => Some(reason),
        };
        self.build(&name, broken, |temporary, origin| {
            write_file(kind, &name, temporary, origin, build)
        })
    }

    /// Takes a file entry away from its name. Nothing there is fine; whoever has it open keeps it.
    ///
    /// # Errors
    /// What the system says when it cannot be removed.
    pub fn forget(&self, kind: &str, key: &Key) -> Result<(), Error> {
        let name = self.name(kind, key)?;
        if name.path.symlink_metadata().is_err() {
            return Ok(());
        }
        let _lock = BuildLock::acquire(&name.path.with_extension("lock"), self.patience)?;
        self.discard(&name.path)
    }

    /// Keeps a folder entry in use for as long as this cache is open, for callers that know it by its path only.
    pub fn keep(&self, entry: DirEntry) -> PathBuf {
        let path = entry.path().to_owned();
        let mut kept = self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(path.clone(), entry);
        path
    }

    fn find_or_build<T: Entry, E: From<Error>>(
        &self,
        name: &Name,
        look: impl Fn() -> Result<Look<T>, Error>,
        build: impl FnOnce(&Path, Origin) -> Result<T, E>,
    ) -> Result<T, E> {
        if let Look::Entry(entry) = look()? {
            return Ok(self.found(entry));
        }
        self.create_parent(&name.path)?;
        let _lock = BuildLock::acquire(&name.path.with_extension("lock"), self.patience)?;
        // Somebody else may have built it meanwhile.
        let broken = match look()? {
            Look::Entry(entry) => return Ok(self.found(entry)),
            Look::Missing => None,
            Look::Broken(reason) => Some(reason),
        };
        self.build(name, broken, build)
    }

    /// Builds an entry, for whoever holds its build lock. What is broken under its name is taken away first.
    fn build<T: Entry, E: From<Error>>(
        &self,
        name: &Name,
        broken: Option<Broken>,
        build: impl FnOnce(&Path, Origin) -> Result<T, E>,
    ) -> Result<T, E> {
        let origin = match broken {
            Some(reason) => {
                self.discard(&name.path)?;
                Origin::Rebuilt(reason)
            }
            None => Origin::Built,
        };
        self.shared.swept.call_once(|| self.sweep());
        let temporary = Temporary::new(name.path.with_extension("tmp"))?;
        let entry = build(&temporary.0, origin)?;
        self.count(entry.origin());
        Ok(entry)
    }

    /// Counts an entry that was there, and notes that it is used.
    fn found<T: Entry>(&self, entry: T) -> T {
        self.shared.found.fetch_add(1, Ordering::Relaxed);
        usage::touch(entry.handle());
        entry
    }

    /// Counts an entry that was built now.
    fn count(&self, origin: &Origin) {
        let counter = match origin {
            Origin::Rebuilt(_) => &self.shared.rebuilt,
            _ => &self.shared.built,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn name(&self, kind: &str, key: &Key) -> Result<Name, Error> {
        if !is_kind(kind) {
            return Err(Error::Kind(kind.chars().take(64).collect()));
        }
        let id = key.id();
        Ok(Name {
            path: self.shared.entries.join(kind).join(key::hex(&id)),
            id,
        })
    }

    fn create_parent(&self, entry: &Path) -> Result<(), Error> {
        let Some(folder) = entry.parent() else { return Ok(()) };
        match sys::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(Error::on("create", folder)(error)),
            _ => Ok(()),
        }
    }

    /// Takes an entry away from its name; whoever has it open keeps it. Bytes and locks of folder entries others use stay in the
    /// trash until they are done.
    pub(crate) fn discard(&self, path: &Path) -> Result<(), Error> {
        let discarded = self.shared.entries.join(TRASH).join(unique());
        self.create_parent(&discarded)?;
        match sys::rename(path, &discarded) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(Error::on("remove", path))?,
        }
        self.shared
            .verified
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(path);
        remove_unused(&discarded);
        Ok(())
    }
}

/// Builds a file entry in its temporary place and publishes it.
fn write_file<E: From<Error>>(
    kind: &str,
    name: &Name,
    temporary: &Path,
    origin: Origin,
    build: impl FnOnce(&mut EntryWriter) -> Result<(), E>,
) -> Result<FileEntry, E> {
    let mut writer = EntryWriter::create(temporary)?;
    let built = build(&mut writer);
    // A write that failed outranks what the builder says about it, even if it says that all is well.
    writer.check(temporary)?;
    built?;
    Ok(writer.publish(kind, &name.id, temporary, &name.path, origin)?)
}

/// Removes what is in the trash unless a process uses it.
pub(crate) fn remove_unused(path: &Path) {
    let is_dir = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    if is_dir {
        match sys::open_dir(path).and_then(|folder| lock::claim(&folder)) {
            Ok(true) => {}
            _ => return,
        }
    }
    // What cannot be removed now is tried again by the next sweep.
    let _ = sys::remove(path);
}

/// Kinds are names of folders.
pub(crate) fn is_kind(kind: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=file::KIND_LEN).contains(&kind.len()) && kind.bytes().all(allowed)
}

struct Name {
    path: PathBuf,
    id: Id,
}

/// What file and folder entries have in common.
trait Entry {
    fn origin(&self) -> &Origin;
    /// The file or folder under the entry's name.
    fn handle(&self) -> &File;
}

impl Entry for FileEntry {
    fn origin(&self) -> &Origin {
        FileEntry::origin(self)
    }

    fn handle(&self) -> &File {
        self.file()
    }
}

impl Entry for DirEntry {
    fn origin(&self) -> &Origin {
        DirEntry::origin(self)
    }

    fn handle(&self) -> &File {
        self.mark()
    }
}

/// A name for what is being built; whatever has it at the end is removed.
struct Temporary(PathBuf);

impl Temporary {
    /// Call it with the build lock held: what a killed builder left there is removed.
    fn new(path: PathBuf) -> Result<Temporary, Error> {
        sys::remove(&path).map_err(Error::on("remove", &path))?;
        Ok(Temporary(path))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = sys::remove(&self.0);
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache")
            .field("location", &self.shared.location)
            .finish_non_exhaustive()
    }
}
