//! Sessions: workspaces with a handle, and the short-lived workspaces of runs without a session.
//!
//! A handle is 128 random bits. It is bound to the caller who got it, where the transport knows one: to everybody else an unknown,
//! an expired and a foreign handle are the same. Runs of one session wait for each other.

use super::workspace::{Entry, Quota, Workspace};
use prims_interpreter::{Interpreter, RunReport, RunRequest};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// What sessions may be and hold.
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    /// Sessions at a time, of all callers; kept workspaces of runs count.
    pub count: usize,
    /// Sessions of one caller.
    pub count_per_caller: usize,
    /// A session that is not used for so long is closed.
    pub idle: Duration,
    /// A session is closed when it is this old.
    pub lifetime: Duration,
    /// How long the files of a run without a session can be read.
    pub run_lifetime: Duration,
    /// Bytes in the workspace of a session.
    pub bytes: u64,
    /// Files in the workspace of a session.
    pub files: u64,
    /// How long a call waits for another one of the same session.
    pub wait: Duration,
}

impl Default for SessionLimits {
    fn default() -> SessionLimits {
        SessionLimits {
            count: 1000,
            count_per_caller: 100,
            idle: Duration::from_secs(60 * 60),
            lifetime: Duration::from_secs(24 * 60 * 60),
            run_lifetime: Duration::from_secs(10 * 60),
            bytes: 256 << 20,
            files: 10_000,
            wait: Duration::from_secs(30),
        }
    }
}

/// Why a session cannot be had or used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// There is none, it expired, or it belongs to somebody else.
    #[error("no session `{}`", .0.escape_debug())]
    Unknown(String),
    /// There are as many as there may be.
    #[error("there are {limit} sessions already, which is the limit")]
    TooMany {
        /// The limit that is met.
        limit: usize,
    },
    /// Another call of the session did not end in time.
    #[error("session `{0}` is busy with another call")]
    Busy(String),
    /// It cannot be had from this server.
    #[error("{0}")]
    Unavailable(&'static str),
    /// Its files cannot be used.
    #[error(transparent)]
    Workspace(#[from] super::workspace::Error),
}

/// Whose sessions a call may use, and which of them it may be told about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Who {
    /// The caller the transport knows.
    pub(crate) owner: Option<String>,
    /// Sessions can be listed by those who share this: a caller, or a connection. Somebody without either lists nothing, because a list of handles
    /// would hand everybody's sessions to everybody.
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
    /// Bytes of its files.
    pub(crate) bytes: u64,
}

/// What happened in a run, and what it left.
pub(crate) struct SessionRun {
    pub(crate) result: Result<RunReport, prims_interpreter::Error>,
    /// The handle under which its files can be read.
    pub(crate) session_id: Option<String>,
    pub(crate) artifacts: Vec<Entry>,
}

/// All sessions. Cheap to clone.
#[derive(Clone)]
pub struct Sessions(Arc<Shared>);

struct Shared {
    limits: SessionLimits,
    /// Removed when the server ends.
    folder: tempfile::TempDir,
    known: Mutex<HashMap<String, Arc<Session>>>,
    /// Workspaces nobody has written to, for runs without a session.
    pristine: Mutex<Vec<Workspace>>,
}

struct Session {
    id: String,
    who: Who,
    new: NewSession,
    /// Whether it is only what a run without a session left.
    of_run: bool,
    created: (Instant, SystemTime),
    lifetime: Duration,
    idle: Duration,
    used: Mutex<Instant>,
    workspace: Workspace,
    busy: Mutex<bool>,
    free: Condvar,
}

/// Workspaces kept ready for runs without a session.
const PRISTINE: usize = 16;

/// 128 random bits as 32 hexadecimal digits.
pub(crate) fn random_name() -> Result<String, std::io::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sessions {
    /// No sessions yet; their files lie in a folder of their own that goes when the server ends.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn temporary(limits: SessionLimits) -> std::io::Result<Sessions> {
        let folder = tempfile::Builder::new().prefix("prims-sessions-").tempdir()?;
        Ok(Sessions(Arc::new(Shared {
            limits,
            folder,
            known: Mutex::default(),
            pristine: Mutex::default(),
        })))
    }

    fn quota(&self) -> Quota {
        Quota {
            bytes: self.0.limits.bytes,
            files: self.0.limits.files,
        }
    }

    fn new_workspace(&self) -> Result<Workspace, Error> {
        let folder: PathBuf = self
            .0
            .folder
            .path()
            .join(random_name().map_err(super::workspace::Error::Io)?);
        Ok(Workspace::open(folder)?)
    }

    /// A new session.
    pub(crate) fn create(&self, who: &Who, new: NewSession) -> Result<SessionInfo, Error> {
        if new.stateful {
            return Err(Error::Unavailable(
                "sessions that keep variables are not available on this server, only sessions that keep files",
            ));
        }
        let lifetime = new
            .lifetime
            .unwrap_or(self.0.limits.lifetime)
            .min(self.0.limits.lifetime);
        let session = self.keep(who, new, self.new_workspace()?, lifetime, false)?;
        session.info()
    }

    /// Makes a session known, if there may be one more. What runs without a session left makes room, the oldest first.
    fn keep(
        &self,
        who: &Who,
        new: NewSession,
        workspace: Workspace,
        lifetime: Duration,
        of_run: bool,
    ) -> Result<Arc<Session>, Error> {
        self.expire();
        let session = Arc::new(Session {
            id: random_name().map_err(super::workspace::Error::Io)?,
            who: who.clone(),
            new,
            of_run,
            created: (Instant::now(), SystemTime::now()),
            lifetime,
            idle: self.0.limits.idle.min(lifetime),
            used: Mutex::new(Instant::now()),
            workspace,
            busy: Mutex::default(),
            free: Condvar::new(),
        });
        let mut known = lock(&self.0.known);
        let dropped = match self.limit_met(&known, who) {
            None => None,
            Some(limit) => Some(oldest_run(&mut known, who).ok_or(Error::TooMany { limit })?),
        };
        known.insert(session.id.clone(), Arc::clone(&session));
        drop(known);
        if let Some(dropped) = dropped {
            let _ = std::fs::remove_dir_all(dropped.workspace.folder());
        }
        Ok(session)
    }

    /// The limit that stands in the way of one more session of this caller.
    fn limit_met(&self, known: &HashMap<String, Arc<Session>>, who: &Who) -> Option<usize> {
        let own = known.values().filter(|session| session.who == *who).count();
        let limits = [
            (own, self.0.limits.count_per_caller),
            (known.len(), self.0.limits.count),
        ];
        limits
            .into_iter()
            .find(|(found, limit)| found >= limit)
            .map(|(_, limit)| limit)
    }

    /// The session, if there is one and it is this caller's.
    fn find(&self, who: &Who, id: &str) -> Result<Arc<Session>, Error> {
        let unknown = || Error::Unknown(id.chars().take(64).collect());
        let session = lock(&self.0.known).get(id).cloned().ok_or_else(unknown)?;
        if session.who.owner != who.owner || session.expired(Instant::now()) {
            return Err(unknown());
        }
        *lock(&session.used) = Instant::now();
        Ok(session)
    }

    /// The sessions this caller may be told about, the oldest first.
    pub(crate) fn list(&self, who: &Who) -> Result<Vec<SessionInfo>, Error> {
        self.expire();
        let mut sessions: Vec<_> = lock(&self.0.known)
            .values()
            .filter(|session| session.who == *who && who.group.is_some())
            .cloned()
            .collect();
        sessions.sort_by(|a, b| (a.created.0, &a.id).cmp(&(b.created.0, &b.id)));
        sessions.iter().map(|session| session.info()).collect()
    }

    /// Ends a session; its files go.
    pub(crate) fn close(&self, who: &Who, id: &str) -> Result<(), Error> {
        let session = self.find(who, id)?;
        let _turn = session.turn(self.0.limits.wait)?;
        lock(&self.0.known).remove(id);
        std::fs::remove_dir_all(session.workspace.folder()).map_err(super::workspace::Error::Io)?;
        Ok(())
    }

    /// A new session with the files of this one.
    pub(crate) fn fork(&self, who: &Who, id: &str) -> Result<SessionInfo, Error> {
        let session = self.find(who, id)?;
        let _turn = session.turn(self.0.limits.wait)?;
        let copy = self.new_workspace()?;
        let quota = self.quota();
        for file in session.workspace.files_below("")? {
            let path = super::workspace::WorkspacePath::file(&file.path)?;
            // A link to nowhere is a file that cannot be read.
            if let Ok(bytes) = session.workspace.read_whole(&path, quota.bytes) {
                copy.write(&path, &bytes, false, quota)?;
            }
        }
        self.keep(who, session.new.clone(), copy, session.lifetime, false)?
            .info()
    }

    /// Makes a session as it was when it was new; its files go.
    pub(crate) fn reset(&self, who: &Who, id: &str) -> Result<SessionInfo, Error> {
        let session = self.find(who, id)?;
        let _turn = session.turn(self.0.limits.wait)?;
        for entry in session.workspace.list(&super::workspace::WorkspacePath::parse("")?)? {
            session
                .workspace
                .delete(&super::workspace::WorkspacePath::file(&entry.path)?)?;
        }
        session.info()
    }

    /// Does something with the files of a session, while nothing else uses them.
    pub(crate) fn with_files<T>(
        &self,
        who: &Who,
        id: &str,
        work: impl FnOnce(&Workspace, Quota) -> Result<T, super::workspace::Error>,
    ) -> Result<T, Error> {
        let session = self.find(who, id)?;
        let _turn = session.turn(self.0.limits.wait)?;
        Ok(work(&session.workspace, self.quota())?)
    }

    /// Runs code in a session, or in a workspace of its own that is kept for a while if the code leaves files. `prepare` puts files there first.
    pub(crate) fn run(
        &self,
        who: &Who,
        id: Option<&str>,
        interpreter: &Interpreter,
        request: RunRequest,
        prepare: impl FnOnce(&Workspace, Quota) -> Result<(), super::workspace::Error>,
    ) -> Result<SessionRun, Error> {
        match id {
            Some(id) => {
                let session = self.find(who, id)?;
                let _turn = session.turn(self.0.limits.wait)?;
                prepare(&session.workspace, self.quota())?;
                let result = self.run_in(&session.workspace, interpreter, request, &session.new.requirements);
                // A long run is use.
                *lock(&session.used) = Instant::now();
                Ok(SessionRun {
                    result,
                    artifacts: session.workspace.artifacts()?,
                    session_id: Some(session.id.clone()),
                })
            }
            None => {
                let ready = lock(&self.0.pristine).pop();
                let workspace = ready.map_or_else(|| self.new_workspace(), Ok)?;
                prepare(&workspace, self.quota())?;
                let result = self.run_in(&workspace, interpreter, request, &[]);
                let artifacts = workspace.artifacts()?;
                let session_id = self.keep_or_drop(who, workspace, !artifacts.is_empty());
                Ok(SessionRun {
                    result,
                    artifacts: if session_id.is_some() { artifacts } else { vec![] },
                    session_id,
                })
            }
        }
    }

    fn run_in(
        &self,
        workspace: &Workspace,
        interpreter: &Interpreter,
        mut request: RunRequest,
        requirements: &[String],
    ) -> Result<RunReport, prims_interpreter::Error> {
        for requirement in requirements {
            if !request.requirements.contains(requirement) {
                request.requirements.push(requirement.clone());
            }
        }
        request.invocation.workspace = Some(workspace.folder().to_owned());
        request.invocation.limits.files_bytes = self.0.limits.bytes;
        request.invocation.limits.files_count = self.0.limits.files;
        interpreter.run(&request)
    }

    /// What becomes of a workspace after a run without a session: the handle, if it is kept.
    fn keep_or_drop(&self, who: &Who, workspace: Workspace, has_artifacts: bool) -> Option<String> {
        if has_artifacts {
            // The handle of a run is told to one caller only, in its reply.
            let unlisted = Who {
                group: None,
                ..who.clone()
            };
            let lifetime = self.0.limits.run_lifetime;
            return self
                .keep(&unlisted, NewSession::default(), workspace, lifetime, true)
                .inspect_err(|error| tracing::warn!("files of a run were not kept: {error}"))
                .ok()
                .map(|session| session.id.clone());
        }
        if workspace.is_pristine().unwrap_or(false) {
            let mut pristine = lock(&self.0.pristine);
            if pristine.len() < PRISTINE {
                pristine.push(workspace);
                return None;
            }
        }
        let _ = std::fs::remove_dir_all(workspace.folder());
        None
    }

    /// Closes what expired, and returns how many are left.
    pub(crate) fn expire(&self) -> usize {
        let now = Instant::now();
        let (expired, left) = {
            let mut known = lock(&self.0.known);
            let gone = |session: &Arc<Session>| session.expired(now) && !*lock(&session.busy);
            let expired: Vec<_> = known
                .extract_if(|_, session| gone(session))
                .map(|(_, session)| session)
                .collect();
            (expired, known.len())
        };
        for session in expired {
            let _ = std::fs::remove_dir_all(session.workspace.folder());
        }
        left
    }
}

/// Takes out what the oldest run without a session of this caller left.
fn oldest_run(known: &mut HashMap<String, Arc<Session>>, who: &Who) -> Option<Arc<Session>> {
    let runs = known
        .values()
        .filter(|other| other.of_run && other.who.owner == who.owner && !*lock(&other.busy));
    let oldest = runs.min_by_key(|other| other.created.0).map(|other| other.id.clone())?;
    known.remove(&oldest)
}

impl Session {
    fn expired(&self, now: Instant) -> bool {
        now.duration_since(self.created.0) > self.lifetime || now.duration_since(*lock(&self.used)) > self.idle
    }

    fn info(&self) -> Result<SessionInfo, Error> {
        let age = self.created.0.elapsed();
        let idle_left = self.idle.saturating_sub(lock(&self.used).elapsed());
        let left = self.lifetime.saturating_sub(age).min(idle_left);
        Ok(SessionInfo {
            id: self.id.clone(),
            requirements: self.new.requirements.clone(),
            stateful: self.new.stateful,
            created: self.created.1,
            expires: SystemTime::now() + left,
            bytes: self.workspace.held()?.0,
        })
    }

    /// Waits until no other call uses the session.
    fn turn(&self, wait: Duration) -> Result<Turn<'_>, Error> {
        let (mut busy, timeout) = self
            .free
            .wait_timeout_while(lock(&self.busy), wait, |busy| *busy)
            .unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() && *busy {
            return Err(Error::Busy(self.id.clone()));
        }
        *busy = true;
        Ok(Turn(self))
    }
}

/// The right to use a session.
struct Turn<'a>(&'a Session);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *lock(&self.0.busy) = false;
        self.0.free.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(name: &str) -> Who {
        Who {
            owner: Some(name.into()),
            group: Some(name.into()),
        }
    }

    fn limits() -> SessionLimits {
        SessionLimits {
            count: 3,
            count_per_caller: 2,
            wait: Duration::from_millis(20),
            ..SessionLimits::default()
        }
    }

    #[test]
    fn foreign_unknown_and_expired_handles_are_the_same() {
        let sessions = Sessions::temporary(limits()).unwrap();
        let short = NewSession {
            lifetime: Some(Duration::ZERO),
            ..NewSession::default()
        };
        let (mine, expired) = (
            sessions.create(&who("a"), NewSession::default()).unwrap().id,
            sessions.create(&who("b"), short).unwrap().id,
        );
        std::thread::sleep(Duration::from_millis(2));
        let said = |who: &Who, id: &str| sessions.close(who, id).unwrap_err().to_string().replace(id, "ID");
        assert_eq!(said(&who("b"), &mine), "no session `ID`");
        assert_eq!(said(&who("b"), &expired), "no session `ID`");
        assert_eq!(said(&who("b"), "../x"), "no session `ID`");
        assert!(sessions.close(&who("a"), &mine).is_ok());
        assert_eq!(sessions.expire(), 0);
    }

    #[test]
    fn there_are_only_so_many() {
        let sessions = Sessions::temporary(limits()).unwrap();
        let create = |name| sessions.create(&who(name), NewSession::default());
        assert!(create("a").is_ok() && create("a").is_ok());
        assert!(matches!(create("a"), Err(Error::TooMany { limit: 2 })));
        assert!(create("b").is_ok());
        assert!(matches!(create("c"), Err(Error::TooMany { limit: 3 })));
        assert_eq!(sessions.list(&who("a")).unwrap().len(), 2);
        let nobody = Who {
            owner: None,
            group: None,
        };
        assert!(sessions.list(&nobody).unwrap().is_empty());
    }

    #[test]
    fn what_runs_left_makes_room() {
        let sessions = Sessions::temporary(limits()).unwrap();
        let left = || {
            let workspace = sessions.new_workspace().unwrap();
            sessions.keep_or_drop(&who("a"), workspace, true).unwrap()
        };
        let runs = [left(), left(), left()];
        let known = |id: &String| sessions.with_files(&who("a"), id, |_, _| Ok(())).is_ok();
        assert_eq!(runs.iter().map(known).collect::<Vec<_>>(), [false, true, true]);
        for kept in [true, false] {
            sessions.create(&who("a"), NewSession::default()).unwrap();
            assert_eq!(known(&runs[1]), kept);
        }
        assert!(known(&runs[2]));
        // They are told to nobody but who ran them.
        assert_eq!(sessions.list(&who("a")).unwrap().len(), 2);
        let folders = std::fs::read_dir(sessions.0.folder.path()).unwrap().count();
        assert_eq!(folders, 3);
    }

    #[test]
    fn one_call_at_a_time() {
        let sessions = Sessions::temporary(limits()).unwrap();
        let id = sessions.create(&who("a"), NewSession::default()).unwrap().id;
        let inner = sessions.with_files(&who("a"), &id, |_, _| {
            let other = sessions.with_files(&who("a"), &id, |_, _| Ok(()));
            assert!(matches!(other, Err(Error::Busy(_))), "{other:?}");
            Ok(())
        });
        assert!(inner.is_ok());
        assert!(sessions.with_files(&who("a"), &id, |_, _| Ok(())).is_ok());
    }
}
