//! What all calls share.

use super::bridge::{Bridge, Incident};
use super::connections::Connections;
use super::deferred::Deferred;
use super::fetch::Fetcher;
use super::sessions::{self, Sessions, Who};
use super::turns::Turns;
use super::workspace::{self, OUTPUT, WorkspacePath, mime};
use crate::http::{Artifact, NoArtifact};
use prims_interpreter::FileError;
use prims_sandbox::Limits;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How a server is set up.
pub struct Options {
    /// Runs the code. Make it with [`super::progress_sink`], so that preparation can be reported to the call that waits for it.
    pub interpreter: Arc<Deferred>,
    /// Workspaces and what else survives a run.
    pub sessions: Sessions,
    /// Requirements every run gets besides its own.
    pub requirements: Vec<String>,
    /// What a run may use if it asks for nothing.
    pub limits: Limits,
    /// What a run may ask for.
    pub ceilings: Limits,
    /// Guests that run at a time.
    pub concurrency: usize,
    /// Calls that wait for one of them to end; the next one is refused as busy.
    pub queue: usize,
    /// How long a call waits for its turn before it is refused as busy.
    pub queue_wait: Duration,
    /// Gets what a client names by URL.
    pub fetcher: Arc<dyn Fetcher>,
    /// Told about every run.
    pub observer: Arc<dyn Observer>,
}

/// What all calls share. Cheap to clone.
#[derive(Clone)]
pub struct AppState(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) interpreter: Arc<Deferred>,
    pub(crate) sessions: Sessions,
    pub(crate) requirements: Vec<String>,
    pub(crate) limits: Limits,
    pub(crate) ceilings: Limits,
    pub(crate) fetcher: Arc<dyn Fetcher>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) bridge: Bridge,
    pub(crate) turns: Turns,
    pub(crate) connections: Connections,
    /// Cancelled when the server ends: stops everything that still runs.
    pub(crate) shutdown: CancellationToken,
}

impl AppState {
    /// A state with nothing running.
    pub fn new(options: Options) -> AppState {
        AppState(Arc::new(Shared {
            turns: Turns::new(options.queue, options.queue_wait),
            interpreter: options.interpreter,
            sessions: options.sessions,
            requirements: options.requirements,
            limits: options.limits,
            ceilings: options.ceilings,
            fetcher: options.fetcher,
            observer: options.observer,
            bridge: Bridge::new(options.concurrency, options.queue, options.queue_wait),
            connections: Connections::default(),
            shutdown: CancellationToken::new(),
        }))
    }

    /// Makes what every run needs, now and not with the first run. Blocks.
    ///
    /// # Errors
    /// The interpreter cannot be made, or the requirements of all runs cannot be met.
    pub fn warm_up(&self) -> Result<(), crate::Error> {
        self.0.interpreter.get()?.prepare(&self.0.requirements)?;
        match self.0.sessions.lasting() {
            Err(super::sessions::Error::Interpreter(error)) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Whether runs can start at once.
    pub fn is_ready(&self) -> bool {
        self.0.interpreter.is_made() && !self.0.shutdown.is_cancelled()
    }

    /// A file that code wrote to `output/`, for whoever downloads it.
    ///
    /// # Errors
    /// Why there is none.
    pub fn artifact(&self, owner: Option<String>, session: &str, path: &str) -> Result<Artifact, NoArtifact> {
        let path = WorkspacePath::parse(&format!("{OUTPUT}/{path}")).map_err(|_| NoArtifact::InvalidPath)?;
        let who = Who { owner, group: None };
        let opened = self.0.sessions.with_files(&who, session, |files| {
            let file = files.open_file(&path)?;
            let length = file.metadata()?.len();
            Ok((file, length))
        });
        match opened {
            Ok((file, length)) => Ok(Artifact {
                file,
                length,
                mime: mime(path.name()).to_owned(),
                tag: None,
            }),
            Err(sessions::Error::Workspace(workspace::Error::File(FileError::Kind { .. }))) => {
                Err(NoArtifact::NotAFile)
            }
            Err(sessions::Error::Unknown(_) | sessions::Error::Workspace(workspace::Error::File(_))) => {
                Err(NoArtifact::NotFound)
            }
            Err(error) => {
                Incident::of("an artifact could not be opened", &error);
                Err(NoArtifact::Failed)
            }
        }
    }

    /// Counts a run whose arguments cannot be followed.
    pub(crate) fn count_refused(&self) {
        let facts = RunFacts::nothing_ran(super::Blame::Request.counted(), Duration::ZERO);
        self.0.observer.finished(&facts);
    }

    /// Removes sessions that have expired. May block.
    pub fn expire(&self) {
        self.0.sessions.expire();
    }

    /// Sessions there are.
    pub fn session_count(&self) -> usize {
        self.0.sessions.count()
    }

    /// Guests that run now.
    pub fn running(&self) -> usize {
        self.0.bridge.running()
    }

    /// Calls that wait for a guest to end.
    pub fn queued(&self) -> usize {
        self.0.bridge.waiting()
    }

    /// Waits until no call is under way.
    pub async fn idle(&self) {
        self.0.bridge.idle().await;
    }

    /// Stops everything that runs, now and from now on.
    pub fn cancel_all(&self) {
        self.0.shutdown.cancel();
    }

    /// Stops everything, and removes what does not outlast the server. May block.
    pub fn end(&self) {
        self.cancel_all();
        self.0.sessions.end();
    }
}

/// Told about every run when it has ended; for metrics. Called on the thread that serves the call, so it must not block.
pub trait Observer: Send + Sync {
    /// A run ended, or was refused.
    fn finished(&self, facts: &RunFacts);
}

/// Nobody wants to know.
impl Observer for () {
    fn finished(&self, _: &RunFacts) {}
}

/// What a run was, without anything its code or its caller said.
#[derive(Clone, Copy, Debug)]
pub struct RunFacts {
    /// The status word of the reply; `busy` where the run was refused for that, and `fault` for a failure of ours.
    pub status: &'static str,
    /// Waiting for a turn.
    pub queue: Duration,
    /// Making the environment ready.
    pub prepare: Duration,
    /// Making the instance.
    pub start: Duration,
    /// The guest's code, the start included.
    pub run: Duration,
    /// Metering units spent.
    pub fuel: u64,
    /// Largest linear memory in bytes.
    pub peak_memory: u64,
}

impl RunFacts {
    /// A run that was asked for and did not come to run, or whose end could not be told.
    pub(crate) fn nothing_ran(status: &'static str, queue: Duration) -> RunFacts {
        RunFacts {
            status,
            queue,
            prepare: Duration::ZERO,
            start: Duration::ZERO,
            run: Duration::ZERO,
            fuel: 0,
            peak_memory: 0,
        }
    }
}
