//! Sessions: a workspace that stays between runs, and in a stateful session the interpreter's memory too.
//!
//! A session is named by a [`Handle`]. Its runs come one after the other; different sessions do not wait for each other. Whatever
//! ends a run, the session stands either where it stood before or where the run left it:
//!
//! | the run | the workspace | the memory of a stateful session |
//! |---|---|---|
//! | completed, raised, `sys.exit` | as it left it | as it left it |
//! | was stopped, crashed, `os._exit` | as it left it: what was written to files stays | as before |
//! | left more than the session may keep | as it left it | as before |
//!
//! Everything lies in a data folder of one process at a time ([`store`]) and is there when a later one opens it. Nothing of it is in
//! the cache; the image a stateful session builds on is copied beside it, so that cleaning the cache takes nothing away.

mod call;
mod gate;
mod handle;
mod images;
mod store;
mod sync;

pub use self::call::{Call, CallReport, Memory};
pub use self::handle::Handle;

use self::gate::{Gate, Turn};
use self::images::Images;
use self::store::{Folder, Metadata, Store, Tail};
use crate::{Error, Interpreter, Workspace};
use prims_sandbox::{FolderQuota, Limits, State};
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// How far a session's folder may be behind in saying when it was used last.
const NOTED: Duration = Duration::from_secs(1);

/// What sessions may use. Every bound has a test that exceeds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// A session nobody used for this long is gone.
    pub idle: Duration,
    /// A session is gone this long after it was created, used or not.
    pub lifetime: Duration,
    /// Sessions one owner may have; those without an owner count as one owner's.
    pub per_owner: usize,
    /// Sessions there may be.
    pub total: usize,
    /// Bytes of memory, beyond the image, that a stateful session may keep.
    pub state_bytes: u64,
    /// Bytes of states kept in memory over all sessions; the rest is read from its file when it is used.
    pub resident_bytes: u64,
    /// Bytes in a workspace.
    pub workspace_bytes: u64,
    /// Files, folders and links in a workspace.
    pub workspace_files: u64,
    /// How long a run waits for another one of the same session.
    pub patience: Duration,
    /// Whether a run is answered only after what it left has reached the disk. Without it, what is answered survives the death of the
    /// process, and reaches the disk soon after.
    pub sync: bool,
    /// How long the copy of an image stays that no session needs: making it again takes longer than most calls.
    pub spare_images: Duration,
}

impl SessionSettings {
    /// What sessions get when nobody asks for anything else.
    pub const DEFAULT: SessionSettings = SessionSettings {
        idle: Duration::from_secs(30 * 60),
        lifetime: Duration::from_secs(24 * 3600),
        per_owner: 100,
        total: 1000,
        state_bytes: 512 << 20,
        resident_bytes: 512 << 20,
        workspace_bytes: Limits::DEFAULT.files_bytes,
        workspace_files: Limits::DEFAULT.files_count,
        patience: Duration::from_secs(30),
        sync: false,
        spare_images: Duration::from_secs(10 * 60),
    };
}

impl Default for SessionSettings {
    fn default() -> SessionSettings {
        SessionSettings::DEFAULT
    }
}

/// Why something cannot be done with a session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// There is no such session, it expired, or it is somebody else's: the caller cannot tell which.
    #[error("no such session, or it has expired")]
    Unknown,
    /// Another run of the session goes on.
    #[error("the session is busy: its last call has not ended after {} ms", waited.as_millis())]
    Busy {
        /// How long this one waited.
        waited: Duration,
    },
    /// There are as many as there may be.
    #[error("there are {limit} sessions, and no more than that {whose} have")]
    TooMany {
        /// The bound.
        limit: usize,
        /// Whom it is for.
        whose: &'static str,
    },
    /// A stateful session's memory holds one environment.
    #[error("the session runs with {has}, the call asks for {asked}")]
    Environment {
        /// What the session was begun with.
        has: String,
        /// What was asked for.
        asked: String,
    },
    /// The data folder cannot be used.
    #[error("the data folder cannot be used: {0}")]
    Folder(String),
    /// The data folder is used by another process.
    #[error("the data folder is used by another process")]
    Locked,
    /// A file operation of the host failed.
    #[error("cannot {what}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl SessionError {
    fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> SessionError {
        move |source| SessionError::Io { what, source }
    }

    /// What to do about it, where there is something to do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            SessionError::Unknown => Some("create a session"),
            SessionError::Busy { .. } => Some("wait for the call that is under way, or cancel it"),
            SessionError::TooMany { .. } => Some("close sessions that are not needed any more"),
            SessionError::Environment { .. } => Some("reset the session, or create another one with these packages"),
            SessionError::Folder(_) => Some("choose a folder that belongs to this user and nobody else can write"),
            SessionError::Locked => Some("give each server a data folder of its own"),
            SessionError::Io { .. } => None,
        }
    }
}

/// What is asked for in a new session.
#[derive(Clone, Debug, Default)]
pub struct NewSession {
    /// Whom it belongs to; nobody else can use it.
    pub owner: Option<String>,
    /// Requirements of its runs.
    pub requirements: Vec<String>,
    /// Whether variables, imports and functions survive, beside files.
    pub stateful: bool,
    /// Shorter than the settings say, if given; longer is cut.
    pub idle: Option<Duration>,
    /// The same for the time from its creation.
    pub lifetime: Option<Duration>,
}

/// A session as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// Names it.
    pub handle: Handle,
    /// Whether variables survive.
    pub stateful: bool,
    /// Requirements of its runs.
    pub requirements: Vec<String>,
    /// Runs that left their memory to the session.
    pub calls: u64,
    /// Bytes of memory that are kept.
    pub state_bytes: u64,
    /// When it was made.
    pub created: SystemTime,
    /// When it will be gone if nobody uses it.
    pub expires: SystemTime,
}

/// All sessions of a data folder. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Sessions(Arc<Shared>);

struct Shared {
    interpreter: Interpreter,
    settings: SessionSettings,
    store: Store,
    images: Images,
    table: Mutex<HashMap<Handle, Arc<Session>>>,
    /// Counts uses, to find the state used longest ago.
    clock: AtomicU64,
    /// Bytes of states in memory, or more.
    resident: AtomicU64,
}

/// One session.
struct Session {
    handle: Handle,
    owner: Option<String>,
    stateful: bool,
    created: SystemTime,
    idle: Duration,
    lifetime: Duration,
    folder: Folder,
    quota: FolderQuota,
    /// Held by whoever changes what is in `kept` or on the disk.
    gate: Gate,
    kept: Mutex<KeptHere>,
    closed: AtomicBool,
}

/// What changes with the runs of a session.
#[derive(Clone)]
struct KeptHere {
    metadata: Metadata,
    /// Number of the last state, 0 before the first. It only grows while the process lives, whatever is reset.
    calls: u64,
    /// Where what the next call changes is appended; `None`: its state is written whole.
    tail: Option<Tail>,
    has_state: bool,
    state_bytes: u64,
    /// The state, if it is in memory, and when it was used last.
    resident: Option<(State, u64)>,
    used: SystemTime,
    /// The time of use that its folder says.
    noted: SystemTime,
}

impl Session {
    fn kept(&self) -> MutexGuard<'_, KeptHere> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expires(&self) -> SystemTime {
        let kept = self.kept();
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 36);
        // While something runs it is used.
        let used = if self.gate.is_taken() {
            SystemTime::now()
        } else {
            kept.used
        };
        let idle = used.checked_add(self.idle).unwrap_or(far);
        idle.min(self.created.checked_add(self.lifetime).unwrap_or(far))
    }

    fn info(&self) -> SessionInfo {
        let expires = self.expires();
        let kept = self.kept();
        SessionInfo {
            handle: self.handle.clone(),
            stateful: self.stateful,
            requirements: kept.metadata.effective().to_vec(),
            calls: kept.calls,
            state_bytes: kept.state_bytes,
            created: self.created,
            expires,
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The last one to use a closed session removes what is left of it.
        if self.closed.load(Ordering::Acquire) {
            self.folder.remove();
        }
    }
}

impl Sessions {
    /// Opens the sessions below `folder`, which is made if it is not there. What expired meanwhile is removed.
    ///
    /// # Errors
    /// [`SessionError::Locked`] if another process has it open, [`SessionError::Folder`] if others could write it.
    pub fn open(interpreter: Interpreter, folder: &Path, settings: SessionSettings) -> Result<Sessions, Error> {
        let store = Store::open(folder, settings.sync)?;
        let images = Images::open(store.images())?;
        let sessions = Sessions(Arc::new(Shared {
            interpreter,
            settings,
            images,
            table: Mutex::default(),
            clock: AtomicU64::new(0),
            resident: AtomicU64::new(0),
            store,
        }));
        for (folder, metadata, calls) in sessions.0.store.load()? {
            if let Some(session) = sessions.session(folder, metadata, calls) {
                sessions.table().insert(session.handle.clone(), Arc::new(session));
            }
        }
        sessions.expire();
        if sessions.table().values().all(|session| !session.kept().has_state) {
            sessions.0.images.clean();
        }
        Ok(sessions)
    }

    fn table(&self) -> MutexGuard<'_, HashMap<Handle, Arc<Session>>> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session as its folder describes it.
    fn session(&self, folder: Folder, metadata: Metadata, calls: u64) -> Option<Session> {
        let settings = &self.0.settings;
        let used = folder.used().unwrap_or(metadata.created());
        Some(Session {
            handle: Handle::parse(&metadata.handle).ok()?,
            owner: metadata.owner.clone(),
            stateful: metadata.stateful,
            created: metadata.created(),
            idle: metadata.idle(),
            lifetime: metadata.lifetime(),
            quota: FolderQuota::new(settings.workspace_bytes, settings.workspace_files),
            gate: Gate::default(),
            closed: AtomicBool::new(false),
            kept: Mutex::new(KeptHere {
                state_bytes: if calls > 0 { folder.state_len() } else { 0 },
                has_state: calls > 0,
                metadata,
                calls,
                tail: None,
                resident: None,
                used,
                noted: used,
            }),
            folder,
        })
    }

    /// Makes a session. Its environment is prepared by its first run.
    ///
    /// # Errors
    /// [`SessionError::TooMany`], [`SessionError::Io`].
    pub fn create(&self, new: &NewSession) -> Result<SessionInfo, Error> {
        let settings = &self.0.settings;
        let handle = Handle::random().map_err(SessionError::io("make a handle"))?;
        let metadata = Metadata {
            handle: handle.to_string(),
            owner: new.owner.clone(),
            requirements: new.requirements.clone(),
            stateful: new.stateful,
            image: None,
            ..Metadata::new(
                new.idle.unwrap_or(settings.idle).min(settings.idle),
                new.lifetime.unwrap_or(settings.lifetime).min(settings.lifetime),
            )
        };
        self.expire();
        Ok(self.add(&handle, metadata, |_| Ok(0))?.info())
    }

    /// Adds a session to the disk and to the table. `fill` may put more into its folder and gives the number of its state.
    fn add(
        &self,
        handle: &Handle,
        metadata: Metadata,
        fill: impl FnOnce(&Folder) -> Result<u64, SessionError>,
    ) -> Result<Arc<Session>, Error> {
        self.check_room(&self.table(), &metadata)?;
        let folder = self.0.store.create(handle)?;
        // Copying files may take long, so others are not kept waiting for it; there may be less room afterwards.
        let added = fill(&folder).and_then(|calls| {
            let mut table = self.table();
            self.check_room(&table, &metadata)?;
            folder.describe(&metadata)?;
            let session = self
                .session(folder.clone(), metadata, calls)
                .ok_or(SessionError::Unknown)?;
            let session = Arc::new(session);
            table.insert(handle.clone(), Arc::clone(&session));
            Ok(session)
        });
        Ok(added.inspect_err(|_| folder.remove())?)
    }

    fn check_room(&self, table: &HashMap<Handle, Arc<Session>>, new: &Metadata) -> Result<(), SessionError> {
        let settings = &self.0.settings;
        if table.len() >= settings.total {
            let (limit, whose) = (settings.total, "all callers together may");
            return Err(SessionError::TooMany { limit, whose });
        }
        let of_owner = table.values().filter(|session| session.owner == new.owner);
        if of_owner.count() >= settings.per_owner {
            let (limit, whose) = (settings.per_owner, "one caller may");
            return Err(SessionError::TooMany { limit, whose });
        }
        Ok(())
    }

    /// The session a handle names, if it is the caller's and not gone.
    fn find(&self, handle: &str, owner: Option<&str>) -> Result<Arc<Session>, SessionError> {
        let handle = Handle::parse(handle)?;
        let found = self.table().get(&handle).cloned().ok_or(SessionError::Unknown)?;
        if found.expires() <= SystemTime::now() {
            self.remove(&found);
            return Err(SessionError::Unknown);
        }
        if found.owner.as_deref() != owner {
            return Err(SessionError::Unknown);
        }
        Ok(found)
    }

    /// Takes a session out of the table; its folder goes when its last run has ended.
    fn remove(&self, session: &Arc<Session>) {
        self.table().remove(&session.handle);
        session.folder.forget();
        session.closed.store(true, Ordering::Release);
    }

    /// Waits until nothing else changes a session.
    fn enter<'a>(&self, session: &'a Session, patience: Duration) -> Result<Turn<'a>, SessionError> {
        let turn = session.gate.enter(patience)?;
        // It may have been closed meanwhile.
        match session.closed.load(Ordering::Acquire) {
            true => Err(SessionError::Unknown),
            false => Ok(turn),
        }
    }

    /// What is known about a session.
    ///
    /// # Errors
    /// [`SessionError::Unknown`].
    pub fn info(&self, handle: &str, owner: Option<&str>) -> Result<SessionInfo, Error> {
        Ok(self.find(handle, owner)?.info())
    }

    /// The sessions of an owner, oldest first.
    pub fn list(&self, owner: Option<&str>) -> Vec<SessionInfo> {
        let now = SystemTime::now();
        let table = self.table();
        let own = table
            .values()
            .filter(|session| session.owner.as_deref() == owner && session.expires() > now);
        let mut infos: Vec<SessionInfo> = own.map(|session| session.info()).collect();
        infos.sort_by(|a, b| (a.created, &a.handle).cmp(&(b.created, &b.handle)));
        infos
    }

    /// How many sessions there are, whoever owns them, and how many bytes of states are in memory.
    pub fn usage(&self) -> (usize, u64) {
        let table = self.table();
        let resident = table.values().filter_map(|session| {
            let kept = session.kept();
            kept.resident.is_some().then_some(kept.state_bytes)
        });
        (table.len(), resident.sum())
    }

    /// Makes a session that goes on where this one stands: with its variables and a copy of its files. What both have in common
    /// is shared until one of them changes it, on the disk too.
    ///
    /// # Errors
    /// [`SessionError::Unknown`], [`SessionError::Busy`], [`SessionError::TooMany`].
    pub fn fork(&self, handle: &str, owner: Option<&str>) -> Result<SessionInfo, Error> {
        let parent = self.find(handle, owner)?;
        let _turn = self.enter(&parent, self.0.settings.patience)?;
        let kept = parent.kept().clone();
        let handle = Handle::random().map_err(SessionError::io("make a handle"))?;
        let metadata = Metadata {
            handle: handle.to_string(),
            ..kept.metadata.again()
        };
        let number = if kept.has_state { kept.calls } else { 0 };
        // Both have the same files from here on, so neither may append to them.
        parent.kept().tail = None;
        let fork = self.add(&handle, metadata, |folder| {
            folder.copy_from(&parent.folder, kept.has_state).map(|()| number)
        })?;
        {
            let mut fork = fork.kept();
            (fork.resident, fork.state_bytes) = (kept.resident, kept.state_bytes);
        }
        self.touch(&parent);
        Ok(fork.info())
    }

    /// Lets a session begin anew: without its variables, and with `files`, without its files.
    ///
    /// # Errors
    /// [`SessionError::Unknown`], [`SessionError::Busy`], [`SessionError::Io`].
    pub fn reset(&self, handle: &str, owner: Option<&str>, files: bool) -> Result<SessionInfo, Error> {
        let session = self.find(handle, owner)?;
        let _turn = self.enter(&session, self.0.settings.patience)?;
        let metadata = Metadata {
            image: None,
            ..session.kept().metadata.clone()
        };
        session.folder.describe(&metadata)?;
        session.folder.remove_states();
        let mut kept = session.kept();
        (kept.metadata, kept.has_state, kept.state_bytes, kept.resident) = (metadata, false, 0, None);
        kept.tail = None;
        drop(kept);
        if files {
            session.folder.empty_workspace()?;
            session.quota.freed();
        }
        self.touch(&session);
        Ok(session.info())
    }

    /// Ends a session. A run that is under way comes to its end, and what it leaves is dropped.
    ///
    /// # Errors
    /// [`SessionError::Unknown`].
    pub fn close(&self, handle: &str, owner: Option<&str>) -> Result<(), Error> {
        let session = self.find(handle, owner)?;
        self.remove(&session);
        Ok(())
    }

    /// Removes what has expired; how many sessions that were. Creating one does it, too.
    pub fn expire(&self) -> usize {
        let now = SystemTime::now();
        let gone: Vec<Arc<Session>> = {
            let table = self.table();
            let expired = table.values().filter(|session| session.expires() <= now);
            expired.cloned().collect()
        };
        gone.iter().for_each(|session| self.remove(session));
        self.0.images.prune(self.0.settings.spare_images, || {
            let sessions = self.table();
            let notes = sessions
                .values()
                .filter_map(|session| session.kept().metadata.image.clone());
            notes.map(|note| note.identity).collect()
        });
        gone.len()
    }

    /// Counts as a use of a session: it lasts longer.
    ///
    /// # Errors
    /// [`SessionError::Unknown`].
    pub fn renew(&self, handle: &str, owner: Option<&str>) -> Result<(), Error> {
        self.touch(&*self.find(handle, owner)?);
        Ok(())
    }

    /// The files of a session. To look at them is no use of it: see [`Sessions::renew`].
    ///
    /// # Errors
    /// [`SessionError::Unknown`], [`SessionError::Io`].
    pub fn workspace(&self, handle: &str, owner: Option<&str>) -> Result<Workspace, Error> {
        let session = self.find(handle, owner)?;
        let folder = &session.folder;
        let opened = Workspace::open(&folder.workspace(), &folder.spool(), session.quota.clone());
        Ok(opened.map_err(SessionError::io("open the session's files"))?)
    }

    fn touch(&self, session: &Session) {
        let now = SystemTime::now();
        let mut kept = session.kept();
        kept.used = now;
        // Only another process reads it there, and what it is behind costs an idle session that much of its life.
        if now.duration_since(kept.noted).is_ok_and(|behind| behind < NOTED) {
            return;
        }
        kept.noted = now;
        drop(kept);
        session.folder.touch(now);
    }
}
