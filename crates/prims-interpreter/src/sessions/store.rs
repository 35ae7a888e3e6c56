//! Sessions on the disk.
//!
//! ```text
//! <data>/lock                            held by the process that uses the folder
//! <data>/images/                         copies of the images that states build on
//! <data>/sessions/<handle>/session.json  what the session is; its time of change is when it was used last
//! <data>/sessions/<handle>/state-<n>     its memory after the n-th run that left one; the highest that is whole counts
//! <data>/sessions/<handle>/log-<n>       what the runs after that changed in it, one after the other
//! <data>/sessions/<handle>/workspace/    its files
//! <data>/sessions/<handle>/spool/        files that are being written
//! ```
//!
//! Everything but a log appears under its name by one rename. A log grows by one write for each run, and what a write left unfinished is
//! not read. Nothing is appended to a log any more once it would be long (see [`Image::change`]), its state was shared with a fork or
//! dropped from memory, a run's memory could not be saved, or another process has the folder: the next run writes a state, under a new
//! name. The one before stays until that has reached the disk, so a process that is killed leaves the last or the one before, and so
//! does a machine that loses power.
//! A folder without `session.json` is one that was not complete, or is on its way out.

use super::sync::{Syncer, Written, log, remove_lone_logs, remove_state, remove_states_below, state, states};
use super::{Handle, SessionError};
use prims_sandbox::{Image, LogEnd, State};
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Changes when an older program must not read what this one wrote.
const VERSION: u32 = 1;
const DESCRIPTION: &str = "session.json";
/// Longest description that is read.
const MAX_DESCRIPTION: u64 = 1 << 20;

/// What a session is, as its folder says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Metadata {
    pub(super) version: u32,
    pub(super) handle: String,
    pub(super) owner: Option<String>,
    pub(super) requirements: Vec<String>,
    pub(super) stateful: bool,
    pub(super) created_ms: u64,
    pub(super) idle_ms: u64,
    pub(super) lifetime_ms: u64,
    /// The image its states build on, from the first one on.
    pub(super) image: Option<ImageNote>,
}

/// Where to find an image again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ImageNote {
    pub(super) identity: String,
    /// The packages in it, as requirements that nothing else fits.
    pub(super) pinned: Vec<String>,
    /// What the first run on it asked for; without it, what the session was made with.
    #[serde(default)]
    pub(super) requirements: Option<Vec<String>>,
}

impl Metadata {
    /// Of a session that is made now; the rest is for the caller to fill in.
    pub(super) fn new(idle: Duration, lifetime: Duration) -> Metadata {
        Metadata {
            version: VERSION,
            handle: String::new(),
            owner: None,
            requirements: vec![],
            stateful: false,
            created_ms: now_ms(),
            idle_ms: millis(idle),
            lifetime_ms: millis(lifetime),
            image: None,
        }
    }

    /// The same for a session that is made now.
    pub(super) fn again(self) -> Metadata {
        Metadata {
            created_ms: now_ms(),
            ..self
        }
    }

    /// Requirements of the next run: what the session's memory was begun with, else what the session was made with.
    pub(super) fn effective(&self) -> &[String] {
        let begun = self.image.as_ref().and_then(|note| note.requirements.as_ref());
        begun.unwrap_or(&self.requirements)
    }

    pub(super) fn created(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.created_ms)
    }

    pub(super) fn idle(&self) -> Duration {
        Duration::from_millis(self.idle_ms)
    }

    pub(super) fn lifetime(&self) -> Duration {
        Duration::from_millis(self.lifetime_ms)
    }
}

fn now_ms() -> u64 {
    millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn millis(duration: Duration) -> u64 {
    // What a JSON number holds exactly everywhere; some 285,000 years.
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).min(1 << 53)
}

/// The data folder.
pub(super) struct Store {
    folder: PathBuf,
    syncer: Syncer,
    /// Whether everything is to have reached the disk before it counts.
    sync: bool,
    /// Locked until it is closed.
    _lock: File,
}

impl Store {
    pub(super) fn open(folder: &Path, sync: bool) -> Result<Store, SessionError> {
        let private = |folder: &Path| DirBuilder::new().recursive(true).mode(0o700).create(folder);
        private(folder).map_err(SessionError::io("make the data folder"))?;
        let found = fs::metadata(folder).map_err(SessionError::io("look at the data folder"))?;
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(SessionError::Folder("it belongs to another user".into()));
        }
        if found.mode() & 0o022 != 0 {
            return Err(SessionError::Folder("other users can write it".into()));
        }
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(folder.join("lock"));
        let lock = lock.map_err(SessionError::io("open the data folder's lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SessionError::Locked),
            Err(TryLockError::Error(error)) => return Err(SessionError::io("lock the data folder")(error)),
        }
        private(&folder.join("sessions")).map_err(SessionError::io("make the data folder"))?;
        let syncer = Syncer::start().map_err(SessionError::io("start a thread"))?;
        Ok(Store {
            folder: folder.to_owned(),
            syncer,
            sync,
            _lock: lock,
        })
    }

    pub(super) fn images(&self) -> PathBuf {
        self.folder.join("images")
    }

    fn at(&self, handle: &str) -> Folder {
        Folder {
            path: self.folder.join("sessions").join(handle),
            syncer: self.syncer.clone(),
            sync: self.sync,
        }
    }

    /// A folder for a new session, without a description yet.
    pub(super) fn create(&self, handle: &Handle) -> Result<Folder, SessionError> {
        let folder = self.at(handle.as_str());
        let made = || {
            let mut private = DirBuilder::new();
            private.mode(0o700).create(&folder.path)?;
            private.create(folder.workspace())?;
            private.create(folder.spool())
        };
        made().map_err(SessionError::io("make the session's folder"))?;
        Ok(folder)
    }

    /// Every session that is complete, with the number of its last state; what is not is removed.
    pub(super) fn load(&self) -> Result<Vec<(Folder, Metadata, u64)>, SessionError> {
        let mut sessions = vec![];
        let listed = fs::read_dir(self.folder.join("sessions"));
        for entry in listed.map_err(SessionError::io("list the sessions"))?.flatten() {
            let name = entry.file_name();
            let Some(handle) = name.to_str().filter(|name| Handle::parse(name).is_ok()) else {
                continue;
            };
            let folder = self.at(handle);
            match folder.description() {
                Ok(metadata) if metadata.version == VERSION && metadata.handle == handle => {
                    folder.tidy();
                    let calls = folder.calls();
                    sessions.push((folder, metadata, calls));
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => folder.remove(),
                // Written by another version, perhaps: it is not ours to remove.
                _ => {}
            }
        }
        Ok(sessions)
    }
}

/// Where the next change of a session goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    /// Of the state whose log it is.
    number: u64,
    end: LogEnd,
}

/// The folder of one session.
#[derive(Clone)]
pub(super) struct Folder {
    path: PathBuf,
    syncer: Syncer,
    sync: bool,
}

impl Folder {
    pub(super) fn workspace(&self) -> PathBuf {
        self.path.join("workspace")
    }

    pub(super) fn spool(&self) -> PathBuf {
        self.path.join("spool")
    }

    pub(super) fn state(&self, number: u64) -> PathBuf {
        state(&self.path, number)
    }

    /// The log of a state.
    pub(super) fn log(&self, number: u64) -> PathBuf {
        log(&self.path, number)
    }

    /// Bytes of the last state and its log.
    pub(super) fn state_len(&self) -> u64 {
        let len = |path: PathBuf| fs::metadata(path).map_or(0, |found| found.len());
        let last = self.states().first().copied();
        last.map_or(0, |number| len(self.state(number)) + len(self.log(number)))
    }

    /// The number of the last run that left a state, 0 if there is none.
    fn calls(&self) -> u64 {
        let Some(number) = self.states().first().copied() else {
            return 0;
        };
        // One that does not read is found out when it is needed.
        let changes = File::open(self.log(number)).and_then(|mut log| prims_sandbox::count_changes(&mut log));
        number + changes.unwrap_or(0)
    }

    fn description(&self) -> std::io::Result<Metadata> {
        let mut text = vec![];
        let file = File::open(self.path.join(DESCRIPTION))?;
        file.take(MAX_DESCRIPTION).read_to_end(&mut text)?;
        if text.is_empty() {
            // The machine lost power before it was written: as good as not there.
            return Err(std::io::ErrorKind::NotFound.into());
        }
        Ok(serde_json::from_slice(&text)?)
    }

    /// Writes or replaces the description. With the first one the session exists.
    pub(super) fn describe(&self, metadata: &Metadata) -> Result<(), SessionError> {
        let write = || {
            let (temporary, path) = (self.path.join("session.tmp"), self.path.join(DESCRIPTION));
            let mut options = OpenOptions::new();
            let mut file = options
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&temporary)?;
            file.write_all(&serde_json::to_vec(metadata)?)?;
            // One that is replaced must not be lost to one that is not whole; one of a new session may be.
            let is_new = !path.exists();
            if self.sync || !is_new {
                file.sync_data()?;
            }
            fs::rename(temporary, path)?;
            if self.sync {
                File::open(&self.path)?.sync_all()?;
            }
            Ok(())
        };
        write().map_err(SessionError::io("write the session's description"))
    }

    /// When the session was used last.
    pub(super) fn used(&self) -> Option<SystemTime> {
        fs::metadata(self.path.join(DESCRIPTION)).ok()?.modified().ok()
    }

    pub(super) fn touch(&self, now: SystemTime) {
        // A time that is not written costs a session that is idle over a restart some of its life, nothing else.
        let file = OpenOptions::new().write(true).open(self.path.join(DESCRIPTION));
        let _ = file.and_then(|file| file.set_modified(now));
    }

    /// Makes `state` the session's: appends to the log of the last one what is another in it, or writes it whole.
    pub(super) fn commit(
        &self,
        image: &Image,
        before: Option<(&State, &Tail)>,
        state: &State,
        number: u64,
    ) -> Result<Tail, crate::Error> {
        if let Some((before, tail)) = before
            && let Some((change, end)) = image.change(before, state, &tail.end)?
            && self.append(tail, &change).is_ok()
        {
            return Ok(Tail { end, ..*tail });
        }
        let end = self.write(state, number)?;
        Ok(Tail { number, end })
    }

    /// Appends to a log. What an error leaves there is not read: no later change is appended to it.
    fn append(&self, tail: &Tail, change: &[u8]) -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(self.log(tail.number))?;
        if file.metadata()?.len() != tail.end.bytes {
            return Err(std::io::Error::other("the log is not as it was left"));
        }
        let written = Written {
            number: tail.number,
            state: false,
            log: true,
        };
        let appended = file
            .write_all_at(change, tail.end.bytes)
            .and_then(|()| self.force(written));
        appended.inspect_err(|_| drop(file.set_len(tail.end.bytes)))
    }

    /// Sees to it that something reaches the disk: now, if that is what is wanted, else soon.
    fn force(&self, written: Written) -> std::io::Result<()> {
        if self.sync {
            return written.sync(&self.path);
        }
        self.syncer.later(&self.path, written);
        Ok(())
    }

    fn write(&self, state: &State, number: u64) -> Result<LogEnd, crate::Error> {
        let (temporary, path) = (self.path.join("state.tmp"), self.state(number));
        let commit = SessionError::io("write the session's state");
        let _ = fs::remove_file(&temporary);
        let file = state.write(&temporary).inspect_err(|_| {
            let _ = fs::remove_file(&temporary);
        })?;
        let end = State::log_of(&file)?;
        // The number may have been that of a state that was removed, if its log was not.
        let _ = fs::remove_file(self.log(number));
        let written = Written {
            number,
            state: true,
            log: false,
        };
        let named = fs::rename(&temporary, path).and_then(|()| self.force(written));
        named
            .inspect_err(|_| remove_state(&self.path, number))
            .map_err(commit)?;
        Ok(end)
    }

    /// The numbers of the states there are, the last one first.
    pub(super) fn states(&self) -> Vec<u64> {
        let mut numbers = states(&self.path);
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        numbers
    }

    pub(super) fn remove_states(&self) {
        self.syncer.never(&self.path);
        remove_states_below(&self.path, u64::MAX);
    }

    /// Takes over another session's files, and its last state if it has one. Nothing may be appended to that state's log any more.
    pub(super) fn copy_from(&self, other: &Folder, has_state: bool) -> Result<(), SessionError> {
        if let Some(number) = other.states().first().copied().filter(|_| has_state) {
            self.share(&other.state(number), &self.state(number))
                .map_err(SessionError::io("copy the session's state"))?;
            let has_log = match self.share(&other.log(number), &self.log(number)) {
                Ok(()) => true,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
                Err(error) => return Err(SessionError::io("copy the session's state")(error)),
            };
            let written = Written {
                number,
                state: true,
                log: has_log,
            };
            self.force(written)
                .map_err(SessionError::io("copy the session's state"))?;
        }
        copy_tree(&other.workspace(), &self.workspace()).map_err(SessionError::io("copy the session's files"))
    }

    /// Gives a file that is not changed any more a second name.
    fn share(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        fs::hard_link(from, to).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Err(error),
            _ => fs::copy(from, to).map(drop),
        })
    }

    pub(super) fn empty_workspace(&self) -> Result<(), SessionError> {
        let (workspace, old) = (self.workspace(), self.spool().join("old"));
        // Out of the way by one rename: a process that is killed leaves all files or none.
        let _ = fs::remove_dir_all(&old);
        let emptied = fs::rename(&workspace, &old).and_then(|()| DirBuilder::new().mode(0o700).create(workspace));
        // What stays of them is nobody's, and is removed the next time or when the data folder is opened.
        let _ = fs::remove_dir_all(old);
        emptied.map_err(SessionError::io("remove the session's files"))
    }

    /// Removes what a killed process left unfinished, and makes what it had just moved away.
    fn tidy(&self) {
        for name in ["session.tmp", "state.tmp"] {
            let _ = fs::remove_file(self.path.join(name));
        }
        for spooled in fs::read_dir(self.spool()).into_iter().flatten().flatten() {
            let path = spooled.path();
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(path));
        }
        let _ = DirBuilder::new().mode(0o700).create(self.workspace());
        remove_lone_logs(&self.path);
    }

    /// From now on no process will find the session.
    pub(super) fn forget(&self) {
        let _ = fs::remove_file(self.path.join(DESCRIPTION));
    }

    /// Removes the folder; what cannot be removed now is when the data folder is opened next.
    pub(super) fn remove(&self) {
        self.forget();
        self.syncer.never(&self.path);
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Copies files, folders and links. The quota bounds how many, and the guest's bound on depth how deep.
fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut folders = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = folders.pop() {
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let (source, target, kind) = (entry.path(), to.join(entry.file_name()), entry.file_type()?);
            if kind.is_dir() {
                fs::create_dir(&target)?;
                folders.push((source, target));
            } else if kind.is_symlink() {
                std::os::unix::fs::symlink(fs::read_link(source)?, target)?;
            } else if kind.is_file() {
                fs::copy(source, target)?;
            }
        }
    }
    Ok(())
}
