//! Sessions as the tools see them: those that last, which `prims-interpreter` keeps, and the files of runs without a session, which
//! can be read for a while under a handle of their own.
//!
//! A handle is 128 random bits or more. It is bound to the caller who got it, where the transport knows one: to everybody else an
//! unknown, an expired and a foreign handle are the same.

use super::deferred::Deferred;
use super::random_hex;
use super::temporary::Temporary;
use super::usage::Usage;
use super::workspace::{Listing, Sweeper, Workspace};
use prims_interpreter::{
    Call, Interpreter, Memory, RunReport, RunRequest, SessionError, SessionSettings, Sessions as Lasting,
};
use prims_sandbox::{Exit, FolderQuota, StopReason};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

pub(crate) use super::usage::Full;
pub(crate) use super::workspace::RunFolder;

/// Workspaces kept ready for runs without a session.
const PRISTINE: usize = 16;
/// Runs without a session whose files are kept.
const MAX_RUNS: usize = 1000;
/// How long the files of a run without a session can be read.
const RUN_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// The group of a client that has the server to itself: all sessions without an owner are its own, also those of an earlier server.
pub(crate) const ALONE: &str = "alone";

/// Why a session cannot be had or used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// There is none, it expired, or it belongs to somebody else.
    #[error("no session `{}`", .0.escape_debug())]
    Unknown(String),
    /// The interpreter says why.
    #[error(transparent)]
    Interpreter(prims_interpreter::Error),
    /// The interpreter cannot be made.
    #[error(transparent)]
    Unmade(Box<crate::Error>),
    /// A run has files only, and they go.
    #[error("`{0}` names the files of a run, not a session")]
    NotASession(String),
    /// Its files cannot be used.
    #[error(transparent)]
    Workspace(#[from] super::workspace::Error),
    /// All workspaces together hold as much as they may.
    #[error(transparent)]
    Full(#[from] Full),
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        Error::Workspace(error.into())
    }
}

/// Whose sessions a call may use, and which of them it may be told about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Who {
    /// The caller the transport knows.
    pub(crate) owner: Option<String>,
    /// Sessions can be listed by those who share this: a caller, or a connection. Somebody without either lists nothing, because a
    /// list of handles would hand everybody's sessions to everybody.
    pub(crate) group: Option<String>,
}

/// What a new session shall be.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewSession {
    pub(crate) requirements: Vec<String>,
    pub(crate) stateful: bool,
    pub(crate) lifetime: Option<Duration>,
}

/// What a session is.
#[derive(Clone, Debug)]
pub(crate) struct SessionInfo {
    pub(crate) id: String,
    pub(crate) requirements: Vec<String>,
    pub(crate) stateful: bool,
    pub(crate) created: SystemTime,
    pub(crate) expires: SystemTime,
    /// Bytes of its files and of its memory.
    pub(crate) bytes: u64,
}

/// What happened in a run, and what it left.
pub(crate) struct SessionRun {
    pub(crate) result: Result<RunReport, prims_interpreter::Error>,
    /// The handle under which its files can be read.
    pub(crate) session_id: Option<String>,
    pub(crate) artifacts: Listing,
}

/// All sessions. Cheap to clone.
#[derive(Clone)]
pub struct Sessions(Arc<Shared>);

struct Shared {
    interpreter: Arc<Deferred>,
    settings: SessionSettings,
    /// Where sessions lie that last longer than this process, if they do.
    data_dir: Option<PathBuf>,
    /// Everything else; removed when the server ends.
    temporary: Temporary,
    lasting: Mutex<Option<Lasting>>,
    /// Nothing is opened any more. Changes only while `lasting` is locked.
    ended: AtomicBool,
    /// Who may list a session that has no owner, by handle.
    groups: Mutex<HashMap<String, String>>,
    runs: Mutex<HashMap<String, Arc<Run>>>,
    usage: Usage,
    /// Workspaces nobody has written to, for runs without a session.
    pristine: Mutex<Vec<RunFolder>>,
    sweeper: Sweeper,
}

/// The files of a run without a session.
struct Run {
    owner: Option<String>,
    ended: Instant,
    folder: RunFolder,
}

impl Run {
    fn is_expired(&self) -> bool {
        self.ended.elapsed() >= RUN_LIFETIME
    }
}

/// What a handle may name. Whether the session exists is found out by using it.
enum Named {
    Run(Arc<Run>),
    Session(Lasting),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// 128 random bits as 32 hexadecimal digits.
pub(crate) fn random_name() -> std::io::Result<String> {
    random_hex::<16>()
}

impl Sessions {
    /// Sessions that lie in `data_dir` and are there again after a restart; without it they end with the server. All workspaces
    /// together hold at most `workspaces_bytes`, and what calls under way add.
    ///
    /// # Errors
    /// A folder for what does not last cannot be made, or no thread.
    pub fn new(
        interpreter: Arc<Deferred>,
        settings: SessionSettings,
        data_dir: Option<PathBuf>,
        workspaces_bytes: u64,
    ) -> std::io::Result<Sessions> {
        Ok(Sessions(Arc::new(Shared {
            interpreter,
            usage: Usage::new(workspaces_bytes, settings.workspace_bytes),
            settings,
            data_dir,
            temporary: Temporary::make(&std::env::temp_dir())?,
            lasting: Mutex::default(),
            ended: AtomicBool::new(false),
            groups: Mutex::default(),
            runs: Mutex::default(),
            pristine: Mutex::default(),
            sweeper: Sweeper::start()?,
        })))
    }

    /// Opens what lasts, if that has not been done; what is wrong with the data folder is said here.
    pub(crate) fn lasting(&self) -> Result<Lasting, Error> {
        if let Some(lasting) = &*lock(&self.0.lasting) {
            return Ok(lasting.clone());
        }
        // It may have to be compiled first, and others look at what is open meanwhile.
        let interpreter = self
            .0
            .interpreter
            .get()
            .map_err(|error| Error::Unmade(Box::new(error)))?;
        let mut lasting = lock(&self.0.lasting);
        if let Some(lasting) = &*lasting {
            return Ok(lasting.clone());
        }
        if self.0.ended.load(Ordering::Relaxed) {
            return Err(std::io::Error::other("the server has ended").into());
        }
        let folder = match &self.0.data_dir {
            Some(folder) => folder.clone(),
            None => self.0.temporary.path().join("sessions"),
        };
        let opened = Lasting::open(interpreter.clone(), &folder, self.0.settings).map_err(Error::Interpreter)?;
        // What sessions of an earlier process hold counts too.
        for session in std::fs::read_dir(folder.join("sessions"))?.flatten() {
            self.0.usage.changes(&session.path().join("workspace"));
        }
        *lasting = Some(opened.clone());
        Ok(opened)
    }

    /// Where everything lies that ends with the server.
    pub fn temporary(&self) -> &Path {
        self.0.temporary.path()
    }

    /// Sessions there are, those of runs not counted.
    pub fn count(&self) -> usize {
        lock(&self.0.lasting).as_ref().map_or(0, |lasting| lasting.usage().0)
    }

    /// A new session.
    pub(crate) fn create(&self, who: &Who, new: NewSession) -> Result<SessionInfo, Error> {
        let made = self.lasting()?.create(&prims_interpreter::NewSession {
            owner: who.owner.clone(),
            requirements: new.requirements,
            stateful: new.stateful,
            idle: None,
            lifetime: new.lifetime,
        });
        self.made(who, made)
    }

    fn made(
        &self,
        who: &Who,
        made: Result<prims_interpreter::SessionInfo, prims_interpreter::Error>,
    ) -> Result<SessionInfo, Error> {
        let info = made.map_err(Error::Interpreter)?;
        if let (None, Some(group)) = (&who.owner, &who.group) {
            lock(&self.0.groups).insert(info.handle.to_string(), group.clone());
        }
        let files = self.files(who, &info.handle.to_string())?;
        files.furnish()?;
        self.0.usage.changes(files.folder());
        self.described(who, info)
    }

    fn described(&self, who: &Who, info: prims_interpreter::SessionInfo) -> Result<SessionInfo, Error> {
        let id = info.handle.to_string();
        let files = self.files(who, &id)?.bytes()?;
        Ok(SessionInfo {
            id,
            requirements: info.requirements,
            stateful: info.stateful,
            created: info.created,
            expires: info.expires,
            bytes: files + info.state_bytes,
        })
    }

    /// The handles this caller may be told about, the oldest first.
    pub(crate) fn handles(&self, who: &Who) -> Result<Vec<String>, Error> {
        let told = self.told(who)?;
        Ok(told.into_iter().map(|info| info.handle.to_string()).collect())
    }

    fn told(&self, who: &Who) -> Result<Vec<prims_interpreter::SessionInfo>, Error> {
        let Some(group) = &who.group else { return Ok(vec![]) };
        let sees_all = who.owner.is_some() || group == ALONE;
        let none_is_open = self.0.data_dir.is_none() && lock(&self.0.lasting).is_none();
        // Opening them may mean to compile the interpreter first, which is not worth it for an empty list.
        if none_is_open || !sees_all && lock(&self.0.groups).is_empty() {
            return Ok(vec![]);
        }
        let mut all = self.lasting()?.list(who.owner.as_deref());
        let groups = lock(&self.0.groups);
        all.retain(|info| sees_all || groups.get(info.handle.as_str()) == Some(group));
        Ok(all)
    }

    /// The sessions this caller may be told about, the oldest first.
    pub(crate) fn list(&self, who: &Who) -> Result<Vec<SessionInfo>, Error> {
        let described = self.told(who)?.into_iter().map(|info| self.described(who, info));
        // One that ended in this moment is not there.
        described
            .filter(|info| !matches!(info, Err(Error::Unknown(_))))
            .collect()
    }

    /// Ends a session; its files go.
    pub(crate) fn close(&self, who: &Who, id: &str) -> Result<(), Error> {
        if self.run_files(who, id).is_some() {
            let closed = lock(&self.0.runs).remove(id);
            drop(closed);
            return Ok(());
        }
        let files = self.files(who, id)?;
        self.known(id, self.lasting()?.close(id, who.owner.as_deref()))?;
        lock(&self.0.groups).remove(id);
        self.0.usage.gone(files.folder());
        Ok(())
    }

    /// A new session that goes on where this one stands.
    pub(crate) fn fork(&self, who: &Who, id: &str) -> Result<SessionInfo, Error> {
        self.no_run(who, id)?;
        self.0.usage.room()?;
        let fork = self.known(id, self.lasting()?.fork(id, who.owner.as_deref()))?;
        self.made(who, Ok(fork))
    }

    /// Makes a session as it was when it was new.
    pub(crate) fn reset(&self, who: &Who, id: &str) -> Result<SessionInfo, Error> {
        self.no_run(who, id)?;
        let info = self.known(id, self.lasting()?.reset(id, who.owner.as_deref(), true))?;
        let files = self.files(who, id)?;
        files.furnish()?;
        self.0.usage.changes(files.folder());
        self.described(who, info)
    }

    fn no_run(&self, who: &Who, id: &str) -> Result<(), Error> {
        match self.run_files(who, id) {
            Some(_) => Err(Error::NotASession(id.to_owned())),
            None => Ok(()),
        }
    }

    /// Says which handle is unknown.
    fn known<T>(&self, id: &str, result: Result<T, prims_interpreter::Error>) -> Result<T, Error> {
        result.map_err(|error| match error {
            prims_interpreter::Error::Session(SessionError::Unknown) => Error::Unknown(id.chars().take(64).collect()),
            error => Error::Interpreter(error),
        })
    }

    fn run_files(&self, who: &Who, id: &str) -> Option<Arc<Run>> {
        let runs = lock(&self.0.runs);
        runs.get(id)
            .filter(|run| run.owner == who.owner && !run.is_expired())
            .cloned()
    }

    fn named(&self, who: &Who, id: &str) -> Result<Named, Error> {
        match self.run_files(who, id) {
            Some(run) => Ok(Named::Run(run)),
            None => Ok(Named::Session(self.lasting()?)),
        }
    }

    fn open(&self, named: &Named, who: &Who, id: &str) -> Result<Workspace, Error> {
        match named {
            Named::Run(run) => Ok(run.folder.open()?),
            Named::Session(lasting) => Ok(self.known(id, lasting.workspace(id, who.owner.as_deref()))?.into()),
        }
    }

    /// The files under a handle. To look at them does not make a session last longer.
    pub(crate) fn files(&self, who: &Who, id: &str) -> Result<Workspace, Error> {
        self.open(&self.named(who, id)?, who, id)
    }

    /// Does something with the files of a session, which is a use of it.
    pub(crate) fn with_files<T>(
        &self,
        who: &Who,
        id: &str,
        work: impl FnOnce(&Workspace) -> Result<T, super::workspace::Error>,
    ) -> Result<T, Error> {
        Ok(work(&self.used(who, id)?)?)
    }

    /// The files of a session that a caller uses by this.
    fn used(&self, who: &Who, id: &str) -> Result<Workspace, Error> {
        let named = self.named(who, id)?;
        if let Named::Session(lasting) = &named {
            self.known(id, lasting.renew(id, who.owner.as_deref()))?;
        }
        self.open(&named, who, id)
    }

    /// The same for what adds to them.
    pub(crate) fn with_more_files<T>(
        &self,
        who: &Who,
        id: &str,
        work: impl FnOnce(&Workspace) -> Result<T, super::workspace::Error>,
    ) -> Result<T, Error> {
        self.0.usage.room()?;
        self.with_fewer_files(who, id, work)
    }

    /// The same for what takes from them.
    pub(crate) fn with_fewer_files<T>(
        &self,
        who: &Who,
        id: &str,
        work: impl FnOnce(&Workspace) -> Result<T, super::workspace::Error>,
    ) -> Result<T, Error> {
        let files = self.used(who, id)?;
        let done = work(&files);
        self.0.usage.changes(files.folder());
        Ok(done?)
    }

    /// Bytes that a workspace may hold.
    pub(crate) fn workspace_bytes(&self) -> u64 {
        self.0.settings.workspace_bytes
    }

    /// Runs code in a session, or in a workspace of its own that is kept for a while if the code leaves files. `prepare` puts files
    /// there first.
    pub(crate) fn run(
        &self,
        who: &Who,
        id: Option<&str>,
        interpreter: &Interpreter,
        request: RunRequest,
        prepare: impl FnOnce(&Workspace) -> Result<(), super::workspace::Error>,
    ) -> Result<SessionRun, Error> {
        let Some(id) = id else {
            return self.run_alone(who, interpreter, request, prepare);
        };
        let named = self.named(who, id)?;
        let files = self.open(&named, who, id)?;
        self.0.usage.room()?;
        self.0.usage.changes(files.folder());
        prepare(&files)?;
        let result = match &named {
            Named::Run(run) => run_in(&run.folder, interpreter, request),
            Named::Session(lasting) => self.run_lasting(lasting, who, id, request)?,
        };
        self.0.usage.changes(files.folder());
        Ok(SessionRun {
            result,
            artifacts: files.artifacts()?,
            session_id: Some(id.to_owned()),
        })
    }

    fn run_lasting(
        &self,
        lasting: &Lasting,
        who: &Who,
        id: &str,
        request: RunRequest,
    ) -> Result<Result<RunReport, prims_interpreter::Error>, Error> {
        let owner = who.owner.as_deref();
        // None are the session's own.
        let mut requirements = match request.requirements.is_empty() {
            true => vec![],
            false => self.known(id, lasting.info(id, owner))?.requirements,
        };
        for requirement in request.requirements {
            if !requirements.contains(&requirement) {
                requirements.push(requirement);
            }
        }
        let call = Call {
            requirements,
            invocation: request.invocation,
            patience: None,
        };
        let report = match lasting.run(id, owner, &call) {
            Err(prims_interpreter::Error::Session(SessionError::Unknown)) => {
                return Err(Error::Unknown(id.chars().take(64).collect()));
            }
            Err(error @ prims_interpreter::Error::Session(_)) => return Err(Error::Interpreter(error)),
            report => report,
        };
        Ok(report.map(|report| {
            let mut notes = report.notes;
            notes.extend(report.started_over.map(|reason| {
                format!("the session's variables could not be used ({reason}): this call began without them; its files are there")
            }));
            match report.memory {
                Memory::RolledBack(why) => notes.push(format!(
                    "the session's variables are as they were before this call ({why}); what was written to files stays"
                )),
                Memory::NotSaved(why) => notes.push(format!(
                    "the session's variables are as they were before this call: they could not be saved ({why})"
                )),
                _ => {}
            }
            RunReport {
                outcome: report.outcome,
                packages: report.packages,
                notes,
                prepare: report.prepare,
            }
        }))
    }

    fn run_alone(
        &self,
        who: &Who,
        interpreter: &Interpreter,
        request: RunRequest,
        prepare: impl FnOnce(&Workspace) -> Result<(), super::workspace::Error>,
    ) -> Result<SessionRun, Error> {
        let room = self.0.usage.room();
        let ready = if room.is_ok() {
            lock(&self.0.pristine).pop()
        } else {
            None
        };
        let folder = match ready {
            Some(folder) => folder,
            // Code that writes nothing needs no room.
            None => self.new_folder(room.is_ok())?,
        };
        let files = folder.open()?;
        prepare(&files)?;
        let result = run_in(&folder, interpreter, request);
        let artifacts = files.artifacts()?;
        // Whoever cancelled or hung up gets no handle to read them by.
        let wanted = !artifacts.entries.is_empty() && !was_cancelled(&result);
        let session_id = self.keep_or_drop(who, folder, wanted, room.is_ok());
        Ok(SessionRun {
            result,
            artifacts: if session_id.is_some() {
                artifacts
            } else {
                Listing::default()
            },
            session_id,
        })
    }

    /// An empty folder for a run that leaves nothing here. When all workspaces together hold as much as they may it takes no file,
    /// and says why not.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn scratch(&self) -> std::io::Result<(RunFolder, Result<(), Full>)> {
        let room = self.0.usage.room();
        let folder = self.new_folder(room.is_ok())?;
        for entry in std::fs::read_dir(folder.path())?.flatten() {
            std::fs::remove_dir(entry.path())?;
        }
        Ok((folder, room))
    }

    fn new_folder(&self, has_room: bool) -> std::io::Result<RunFolder> {
        let bytes = if has_room { self.0.settings.workspace_bytes } else { 0 };
        let quota = FolderQuota::new(bytes, self.0.settings.workspace_files);
        let folder = self.0.temporary.path().join(random_name()?);
        RunFolder::make(folder, quota, self.0.sweeper.clone())
    }

    /// What becomes of a workspace after a run without a session: the handle, if it is kept.
    fn keep_or_drop(&self, who: &Who, folder: RunFolder, wanted: bool, reusable: bool) -> Option<String> {
        if wanted {
            let kept = self.keep(who, folder);
            return kept
                .inspect_err(|error| tracing::warn!("files of a run were not kept: {error}"))
                .ok();
        }
        if reusable && folder.is_pristine() {
            let mut pristine = lock(&self.0.pristine);
            if pristine.len() < PRISTINE {
                pristine.push(folder);
            }
        }
        None
    }

    fn keep(&self, who: &Who, folder: RunFolder) -> Result<String, Error> {
        let run = Arc::new(Run {
            owner: who.owner.clone(),
            ended: Instant::now(),
            folder,
        });
        let id = random_name()?;
        self.0.usage.changes(&run.folder.path());
        let mut runs = lock(&self.0.runs);
        // What runs left is for those who look soon; the oldest makes room.
        let oldest = runs.iter().min_by_key(|(_, run)| run.ended).map(|(id, _)| id.clone());
        let dropped = oldest
            .filter(|_| runs.len() >= MAX_RUNS)
            .and_then(|id| runs.remove(&id));
        runs.insert(id.clone(), run);
        drop((runs, dropped));
        Ok(id)
    }

    /// Removes what has expired.
    pub(crate) fn expire(&self) {
        let lasting = lock(&self.0.lasting).clone();
        if let Some(lasting) = lasting {
            lasting.expire();
            let grouped: Vec<String> = lock(&self.0.groups).keys().cloned().collect();
            for id in grouped.iter().filter(|id| lasting.info(id, None).is_err()) {
                lock(&self.0.groups).remove(id);
            }
        }
        let expired: Vec<Arc<Run>> = lock(&self.0.runs)
            .extract_if(|_, run| run.is_expired())
            .map(|(_, run)| run)
            .collect();
        drop(expired);
    }

    /// Removes what does not last; nothing can be opened from now on.
    pub(crate) fn end(&self) {
        let lasting = lock(&self.0.lasting);
        self.0.ended.store(true, Ordering::Relaxed);
        drop(lasting);
        if let Err(error) = self.0.temporary.remove() {
            tracing::warn!("a temporary folder could not be removed: {error}");
        }
    }
}

fn was_cancelled(result: &Result<RunReport, prims_interpreter::Error>) -> bool {
    matches!(result, Ok(report) if matches!(report.outcome.exit, Exit::Stopped(StopReason::Cancelled)))
}

fn run_in(
    folder: &RunFolder,
    interpreter: &Interpreter,
    mut request: RunRequest,
) -> Result<RunReport, prims_interpreter::Error> {
    request.invocation.workspace = Some(folder.path());
    request.invocation.workspace_quota = Some(folder.quota.clone());
    interpreter.run(&request)
}
