//! The interpreter as the BeeAI code interpreter offers it: code, files and custom tools over REST and gRPC.
//!
//! ```text
//!  routes.rs (REST) ─┐                      ┌─ run.rs  ─┐
//!  grpc.rs ──────────┼─▶ CodeInterpreter ───┤           ├─▶ prims-interpreter
//!  an MCP tool ──────┘   (async → blocking) └─ tool.rs ─┘
//!                              └─ store.rs   files by identifier
//! ```
//!
//! Names, shapes, statuses and messages are those that its clients know ([`model`]); what it lacked is added: files can be uploaded
//! and downloaded, a request says how long it may take, and everything has a bound. Each run has an interpreter and a workspace of
//! its own; only files that are named by an identifier go from one to the next.

mod check;
mod grpc;
mod messages;
mod model;
mod openapi;
mod routes;
mod run;
mod shell;
mod store;
mod tool;

pub(crate) use check::is_bounded;
pub(crate) use grpc::grpc;
pub(crate) use model::{ExecuteRequest, ExecuteResponse};
pub(crate) use routes::routes;
pub use store::{Retention, Store};

use crate::auth::Caller;
use crate::server::{AppState, Blame, BridgeError, Incident, RunFacts};
use model::{ExecuteCustomToolRequest, ParseCustomToolRequest};
use prims_interpreter::Interpreter;
use prims_sandbox::Cancel;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tool::{CalledTool, ParsedTool};

/// Why a request has no answer of its own shape.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// It cannot be carried out as it is.
    #[error("{0}")]
    Request(String),
    /// A file is not there, for this caller.
    #[error("{0}")]
    Unknown(String),
    /// Files are larger than a workspace, or the store.
    #[error("the files have more than {0} bytes, which is all there is room for")]
    Full(u64),
    /// Too many runs are under way.
    #[error("{0}")]
    Busy(String),
    /// The server ends, or nobody waits any more.
    #[error("cancelled")]
    Cancelled,
    /// Ours.
    #[error("internal error, incident {0}")]
    Fault(Incident),
}

impl Problem {
    /// What a run that it keeps from running is counted as.
    fn counted(&self) -> &'static str {
        match self {
            Problem::Request(_) | Problem::Unknown(_) | Problem::Full(_) => Blame::Request.counted(),
            Problem::Busy(_) => "busy",
            Problem::Cancelled => "cancelled",
            Problem::Fault(_) => Blame::Host.counted(),
        }
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Problem {
        match error {
            store::Error::Unknown(_) => Problem::Unknown(error.to_string()),
            store::Error::TooLarge(most) => Problem::Full(most),
            error @ store::Error::Io(_) => Problem::Fault(Incident::of("a kept file failed", &error)),
        }
    }
}

impl From<BridgeError> for Problem {
    fn from(error: BridgeError) -> Problem {
        match error {
            BridgeError::Busy { .. } => Problem::Busy(error.to_string()),
            BridgeError::Cancelled => Problem::Cancelled,
            BridgeError::Fault(incident) => Problem::Fault(incident),
        }
    }
}

impl From<prims_interpreter::Error> for Problem {
    fn from(error: prims_interpreter::Error) -> Problem {
        Problem::Fault(Incident::of("a run failed", &error))
    }
}

/// Runs code and tools for callers of that service. Cheap to clone.
#[derive(Clone)]
pub struct CodeInterpreter(Arc<Shared>);

struct Shared {
    state: AppState,
    store: Store,
}

impl CodeInterpreter {
    /// On the state of a server, with files in a store.
    pub fn new(state: AppState, store: Store) -> CodeInterpreter {
        CodeInterpreter(Arc::new(Shared { state, store }))
    }

    /// What its calls share with those of the server.
    pub(crate) fn state(&self) -> &AppState {
        &self.0.state
    }

    /// Removes files that nobody used for too long. Blocks.
    pub fn expire(&self) {
        if let Err(error) = self.0.store.expire() {
            tracing::warn!(%error, "files could not be removed");
        }
    }

    /// The longest time a request may ask for.
    fn longest(&self) -> Duration {
        self.0.state.0.ceilings.wall_clock
    }

    /// Runs code.
    pub(crate) async fn execute(&self, caller: Caller, request: ExecuteRequest) -> Result<ExecuteResponse, Problem> {
        let work = move |shared: &Shared, interpreter: &Interpreter, cancel, queue| {
            run::execute(shared, interpreter, &caller, request, cancel, queue)
        };
        self.running(work).await
    }

    /// Looks at a tool.
    async fn parse_tool(&self, request: ParseCustomToolRequest) -> Result<ParsedTool, Problem> {
        let work = move |shared: &Shared, interpreter: &Interpreter, cancel, queue| {
            tool::parse(shared, interpreter, request, cancel, queue)
        };
        self.running(work).await
    }

    /// Calls a tool.
    async fn call_tool(&self, request: ExecuteCustomToolRequest) -> Result<CalledTool, Problem> {
        let work = move |shared: &Shared, interpreter: &Interpreter, cancel, queue| {
            tool::call(shared, interpreter, request, cancel, queue)
        };
        self.running(work).await
    }

    /// Does something with a guest when it is its turn. Who drops the future cancels it.
    async fn running<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared, &Interpreter, Cancel, Duration) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let stop = self.0.state.0.shutdown.child_token();
        let _dropped = stop.clone().drop_guard();
        let shared = self.0.clone();
        // A task of its own goes on until the guest has stopped, whether or not anybody waits for it.
        let task = tokio::spawn(async move {
            let state = &shared.state.0;
            let _counted = state.bridge.enter();
            let (cancel, of_guest) = (Cancel::new(), shared.clone());
            let guest_cancel = cancel.clone();
            let work = move |queue| {
                let interpreter = of_guest.state.0.interpreter.get();
                let done = match interpreter {
                    Ok(interpreter) => work(&of_guest, interpreter, guest_cancel, queue),
                    Err(error) => Err(Problem::Fault(Incident::of("no interpreter", &error))),
                };
                (queue, done)
            };
            let ran = state.bridge.run(&stop, cancel, work).await;
            let (queue, done) = ran.unwrap_or_else(|error| (Duration::ZERO, Err(error.into())));
            if let Err(problem) = &done {
                // What has an answer has been counted.
                let facts = RunFacts::nothing_ran(problem.counted(), queue);
                state.observer.finished(&facts);
            }
            done
        });
        task.await
            .map_err(|panic| Problem::Fault(Incident::log(&format_args!("a call panicked: {panic}"))))?
    }

    /// Does something with files where blocking is allowed.
    async fn files<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, store::Error> + Send + 'static,
    ) -> Result<T, Problem> {
        let (shared, stop) = (self.0.clone(), CancellationToken::new());
        let done = self.0.state.0.bridge.files(&stop, move || work(&shared.store)).await?;
        Ok(done?)
    }
}
