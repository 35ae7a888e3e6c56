//! The tools: their definitions in a fixed order, and the way from a call to its reply.
//!
//! Arguments are typed and validated here. What a model can correct (a wrong field, an unknown session, a busy server) is a tool result with
//! `isError` that names the field and the fix; only what a client's program got wrong (no such tool) and our own faults are protocol errors.

mod arguments;
mod files;
pub(crate) mod run_code;
mod run_reply;
mod schema;
mod session;
#[cfg(test)]
mod tests;

use super::bridge::{self, Incident};
use super::connections::ConnectionId;
use super::live::Live;
use super::sessions::{self, Who};
use super::state::AppState;
use super::workspace;
use prims_interpreter::{FileError, SessionError};
use rmcp::ErrorData;
use rmcp::model::{CallToolResult, ContentBlock, JsonObject, ProtocolVersion, Tool, ToolAnnotations};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// One call, with what it needs to know about who makes it.
pub(crate) struct Call {
    pub(crate) state: AppState,
    pub(crate) who: Who,
    /// The session that the transport names, used when the arguments name none.
    pub(crate) session: Option<String>,
    /// The revision the client speaks, if it said so.
    pub(crate) version: Option<ProtocolVersion>,
    /// Fires when nobody wants the result any more.
    pub(crate) stop: CancellationToken,
    pub(crate) live: Live,
}

impl Call {
    /// The session that is meant.
    fn session(&self, argument: Option<String>) -> Option<String> {
        argument.or_else(|| self.session.clone())
    }

    /// The same where there must be one.
    fn needed_session(&self, argument: Option<String>) -> Result<String, Problem> {
        self.session(argument).ok_or_else(|| {
            Problem::failure("invalid_arguments", "argument `session_id` is missing")
                .hint("give the `session_id` of `create_session`, or of a run that left files")
        })
    }

    /// Whether the client knows content of this kind, which came with a revision.
    fn knows(&self, since: &ProtocolVersion) -> bool {
        self.version
            .as_ref()
            .is_some_and(|version| version.as_str() >= since.as_str())
    }

    /// Does something with sessions or their files where blocking is allowed.
    async fn blocking<T: Send + 'static, E: Into<Problem> + Send + 'static>(
        &self,
        work: impl FnOnce(&AppState, &Who) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem> {
        let (state, who) = (self.state.clone(), self.who.clone());
        self.state
            .0
            .bridge
            .files(&self.stop, move || work(&state, &who))
            .await?
            .map_err(Into::into)
    }
}

/// A failure the model should see.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Failure {
    /// What kind of failure it is, for example `invalid_arguments`, `unknown_session`, `not_found`, `busy`.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// What was found, and what was expected.
    pub(crate) message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
}

impl Failure {
    pub(crate) fn text(&self) -> String {
        match &self.hint {
            Some(hint) => format!("error: {}\nhint: {hint}", self.message),
            None => format!("error: {}", self.message),
        }
    }
}

/// Why a call has no result.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The model's move.
    Failure(Failure),
    /// Ours.
    Fault(Incident),
}

impl Problem {
    /// What a run that it keeps from running is counted as.
    pub(crate) fn counted(&self) -> &'static str {
        match self {
            Problem::Failure(Failure { kind: "cancelled", .. }) => "cancelled",
            Problem::Failure(Failure { kind: "busy", .. }) => "busy",
            Problem::Failure(_) => "refused",
            Problem::Fault(_) => run_code::FAULT,
        }
    }

    fn failure(kind: &'static str, message: impl Into<String>) -> Problem {
        Problem::Failure(Failure {
            kind,
            message: message.into(),
            hint: None,
        })
    }

    fn hint(self, hint: impl Into<String>) -> Problem {
        match self {
            Problem::Failure(failure) => Problem::Failure(Failure {
                hint: Some(hint.into()),
                ..failure
            }),
            fault => fault,
        }
    }
}

impl From<Incident> for ErrorData {
    fn from(incident: Incident) -> ErrorData {
        let data = json!({ "incident": incident.to_string() });
        ErrorData::internal_error(format!("internal error, incident {incident}"), Some(data))
    }
}

impl From<bridge::Error> for Problem {
    fn from(error: bridge::Error) -> Problem {
        match error {
            bridge::Error::Busy { .. } => {
                Problem::failure("busy", error.to_string()).hint("try again in a few seconds")
            }
            bridge::Error::Cancelled => Problem::failure("cancelled", error.to_string()),
            bridge::Error::Fault(incident) => Problem::Fault(incident),
        }
    }
}

impl From<sessions::Error> for Problem {
    fn from(error: sessions::Error) -> Problem {
        let message = error.to_string();
        match error {
            sessions::Error::Unknown(_) => Problem::failure("unknown_session", message)
                .hint("it may have expired or been closed; make a new one with `create_session`"),
            sessions::Error::NotASession(_) => {
                Problem::failure("not_a_session", message).hint("make one with `create_session`")
            }
            sessions::Error::Unmade(error) => Problem::Fault(Incident::of("no interpreter", &*error)),
            sessions::Error::Interpreter(prims_interpreter::Error::Session(error)) => lasting(error, message),
            sessions::Error::Interpreter(prims_interpreter::Error::File(error)) => workspace::Error::File(error).into(),
            sessions::Error::Interpreter(error) => Problem::Fault(Incident::of("a session failed", &error)),
            sessions::Error::Workspace(error) => error.into(),
            sessions::Error::Full(_) => Problem::failure("quota", message)
                .hint("delete files, close sessions that are not needed, or try again when others have ended"),
        }
    }
}

fn lasting(error: SessionError, message: String) -> Problem {
    match error {
        SessionError::Busy { .. } => {
            Problem::failure("busy", message).hint("calls of one session run one after the other; try again")
        }
        SessionError::TooMany { .. } => {
            Problem::failure("too_many_sessions", message).hint("close one with `close_session`")
        }
        SessionError::Environment { .. } => Problem::failure("other_packages", message)
            .hint("`reset_session`, or make another session with these requirements"),
        error => Problem::Fault(Incident::of("a session failed", &error)),
    }
}

impl From<workspace::Error> for Problem {
    fn from(error: workspace::Error) -> Problem {
        let message = error.to_string();
        match error {
            workspace::Error::File(FileError::Path { .. }) => Problem::failure("invalid_arguments", message),
            workspace::Error::File(FileError::Missing(_)) => {
                Problem::failure("not_found", message).hint("`list_dir` shows what is there")
            }
            workspace::Error::File(FileError::Kind { .. } | FileError::NotEmpty(_)) => {
                Problem::failure("not_found", message)
            }
            workspace::Error::File(FileError::Full(_)) => {
                Problem::failure("quota", message).hint("delete files with `delete_file`")
            }
            workspace::Error::TooLarge { .. } => {
                Problem::failure("too_large", message).hint("read it in pieces with `read_file`, `offset` and `limit`")
            }
            error @ (workspace::Error::File(_) | workspace::Error::Io(_)) => {
                Problem::Fault(Incident::of("a workspace failed", &error))
            }
        }
    }
}

/// A reply and how it reads.
pub(crate) struct Answer<T> {
    pub(crate) reply: T,
    pub(crate) content: Vec<ContentBlock>,
}

impl<T> Answer<T> {
    fn text(reply: T, text: impl Into<String>) -> Answer<T> {
        Answer {
            reply,
            content: vec![ContentBlock::text(text)],
        }
    }
}

/// The result of a tool whose failures are told as `error` beside nothing else.
fn finish<T: Serialize>(answer: Result<Answer<T>, Problem>) -> Result<CallToolResult, ErrorData> {
    match answer {
        Ok(answer) => result(&answer.reply, answer.content, false),
        Err(Problem::Failure(failure)) => {
            let content = vec![ContentBlock::text(failure.text())];
            result(&json!({ "error": failure }), content, true)
        }
        Err(Problem::Fault(incident)) => Err(incident.into()),
    }
}

fn result(reply: &impl Serialize, content: Vec<ContentBlock>, is_error: bool) -> Result<CallToolResult, ErrorData> {
    let structured = serde_json::to_value(reply).map_err(|error| Incident::of("a reply is no JSON", &error))?;
    let mut result = if is_error {
        CallToolResult::error(content)
    } else {
        CallToolResult::success(content)
    };
    result.structured_content = Some(structured);
    Ok(result)
}

/// What a tool does to the world, as hints say it.
struct Effects {
    read_only: bool,
    destructive: bool,
    idempotent: bool,
    open_world: bool,
}

impl Effects {
    const READS: Effects = Effects {
        read_only: true,
        destructive: false,
        idempotent: true,
        open_world: false,
    };
    const ADDS: Effects = Effects {
        read_only: false,
        destructive: false,
        idempotent: false,
        open_world: false,
    };
    const REPLACES: Effects = Effects {
        read_only: false,
        destructive: true,
        idempotent: true,
        open_world: false,
    };
}

/// A tool whose reply has `error` instead of everything else when it fails.
fn tool<A: JsonSchema + 'static, R: JsonSchema + 'static>(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    effects: &Effects,
) -> Tool {
    define::<A>(name, title, description, effects, schema::output_or_failure::<R>())
}

fn define<A: JsonSchema + 'static>(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    effects: &Effects,
    output: JsonObject,
) -> Tool {
    let annotations = ToolAnnotations::from_raw(
        Some(title.into()),
        Some(effects.read_only),
        Some(effects.destructive),
        Some(effects.idempotent),
        Some(effects.open_world),
    );
    Tool::new(name, description, schema::input::<A>())
        .with_title(title)
        .with_raw_output_schema(Arc::new(output))
        .with_annotations(annotations)
}

/// All tools, always in this order.
pub(crate) fn all() -> Vec<Tool> {
    let mut tools = vec![run_code::definition()];
    tools.extend(session::definitions());
    tools.extend(files::definitions());
    tools
}

/// Does what a call asks for.
pub(crate) async fn call(name: &str, arguments: JsonObject, call: Call) -> Result<CallToolResult, ErrorData> {
    match name {
        "run_code" => run_code::run_code(call, arguments).await,
        "create_session" => finish(session::create(&call, arguments).await),
        "close_session" => finish(session::close(&call, arguments).await),
        "list_sessions" => finish(session::list(&call, arguments).await),
        "fork_session" => finish(session::fork(&call, arguments).await),
        "reset_session" => finish(session::reset(&call, arguments).await),
        "list_dir" => finish(files::list_dir(&call, arguments).await),
        "preview_file" => finish(files::preview(&call, arguments).await),
        "read_file" => finish(files::read(&call, arguments).await),
        "write_file" => finish(files::write(&call, arguments).await),
        "delete_file" => finish(files::delete(&call, arguments).await),
        "mount_file" => finish(files::mount(&call, arguments).await),
        "persist_artifact" => finish(files::persist(&call, arguments).await),
        _ => Err(ErrorData::invalid_params(
            format!("unknown tool `{}`", name.chars().take(80).collect::<String>()),
            None,
        )),
    }
}

/// The address of a file a session's code made for others.
pub(crate) fn artifact_uri(session: &str, path: &str) -> String {
    super::resources::uri(session, path)
}

/// What a connection's sessions are listed by.
pub(crate) fn group(owner: Option<&str>, connection: Option<&ConnectionId>) -> Option<String> {
    match (owner, connection) {
        (Some(owner), _) => Some(format!("caller {owner}")),
        (None, Some(ConnectionId::Stdio)) => Some(sessions::ALONE.to_owned()),
        (None, Some(connection)) => Some(format!("connection {}", connection.as_str())),
        (None, None) => None,
    }
}
