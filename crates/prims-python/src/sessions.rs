//! Sessions of one engine, opened when the first one is needed.

use crate::errors::Error;
use crate::files::FOLDERS;
use prims_interpreter::{
    Interpreter, NewSession, SessionError, SessionInfo, SessionSettings, Workspace, WorkspacePath,
};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Where sessions lie, and those that are open.
pub(crate) struct Sessions {
    /// `None`: a temporary folder.
    folder: Option<PathBuf>,
    open: Mutex<Option<Open>>,
}

struct Open {
    sessions: prims_interpreter::Sessions,
    /// Dropped after the sessions: the folder is removed.
    _temporary: Option<tempfile::TempDir>,
}

impl Sessions {
    pub(crate) fn new(folder: Option<PathBuf>) -> Sessions {
        Sessions {
            folder,
            open: Mutex::default(),
        }
    }

    pub(crate) fn open(&self, interpreter: &Interpreter) -> Result<prims_interpreter::Sessions, Error> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = &*open {
            return Ok(open.sessions.clone());
        }
        let begin = |path: &Path| {
            let opened = prims_interpreter::Sessions::open(interpreter.clone(), path, SessionSettings::DEFAULT);
            opened.map_err(Error::from)
        };
        let opened = match &self.folder {
            Some(path) => Open {
                sessions: begin(path)?,
                _temporary: None,
            },
            None => {
                let temporary = tempfile::Builder::new().prefix("prims-wasm-sessions-").tempdir();
                let temporary = temporary.map_err(Error::io("make a folder for sessions"))?;
                Open {
                    sessions: begin(temporary.path())?,
                    _temporary: Some(temporary),
                }
            }
        };
        let sessions = opened.sessions.clone();
        *open = Some(opened);
        Ok(sessions)
    }

    /// Forgets the sessions; those in a temporary folder are gone.
    pub(crate) fn end(&self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    pub(crate) fn create(
        &self,
        interpreter: &Interpreter,
        requirements: Vec<String>,
        stateful: bool,
        idle: Option<f64>,
        lifetime: Option<f64>,
    ) -> Result<String, Error> {
        let new = NewSession {
            owner: None,
            requirements,
            stateful,
            idle: seconds("idle", idle)?,
            lifetime: seconds("lifetime", lifetime)?,
        };
        let sessions = self.open(interpreter)?;
        let handle = sessions.create(&new)?.handle.to_string();
        furnish(&sessions.workspace(&handle, None)?)?;
        Ok(handle)
    }

    pub(crate) fn is_stateful(&self, interpreter: &Interpreter, handle: &str) -> Result<bool, Error> {
        let SessionInfo { stateful, .. } = self.open(interpreter)?.info(handle, None)?;
        Ok(stateful)
    }

    pub(crate) fn fork(&self, interpreter: &Interpreter, handle: &str) -> Result<String, Error> {
        Ok(self.open(interpreter)?.fork(handle, None)?.handle.to_string())
    }

    pub(crate) fn reset(&self, interpreter: &Interpreter, handle: &str, files: bool) -> Result<(), Error> {
        let sessions = self.open(interpreter)?;
        sessions.reset(handle, None, files)?;
        furnish(&sessions.workspace(handle, None)?)
    }

    pub(crate) fn close(&self, handle: &str) -> Result<(), Error> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let closed = open.as_ref().map_or(Ok(()), |open| open.sessions.close(handle, None));
        match closed {
            Err(prims_interpreter::Error::Session(SessionError::Unknown)) => Ok(()),
            other => Ok(other?),
        }
    }

    pub(crate) fn workspace(&self, interpreter: &Interpreter, handle: &str) -> Result<Workspace, Error> {
        Ok(self.open(interpreter)?.workspace(handle, None)?)
    }
}

/// Makes the folders every workspace has.
fn furnish(workspace: &Workspace) -> Result<(), Error> {
    for name in FOLDERS {
        workspace.make_folder(&WorkspacePath::parse(name)?)?;
    }
    Ok(())
}

fn seconds(name: &str, asked: Option<f64>) -> Result<Option<Duration>, Error> {
    let Some(asked) = asked else { return Ok(None) };
    let time = Duration::try_from_secs_f64(asked).ok().filter(|time| !time.is_zero());
    let expected = || Error::Argument(format!("{name} is `{asked}`, expected seconds, more than 0"));
    Ok(Some(time.ok_or_else(expected)?))
}
