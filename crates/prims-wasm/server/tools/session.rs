//! Tools for sessions: making, listing, copying, emptying and ending them.

use super::arguments::{bad, parse};
use super::{Answer, Call, Effects, Problem, tool};
use crate::server::render;
use crate::server::sessions::{NewSession, SessionInfo};
use prims_packages::Requirements;
use rmcp::model::{JsonObject, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateSession {
    /// Packages that every run of the session can import, as in `pip install`.
    #[serde(default)]
    requirements: Vec<String>,
    /// Whether variables, imports and functions survive from run to run, and not only files.
    #[serde(default)]
    stateful: bool,
    /// Seconds until the session ends; the server's limit if it is longer or left out.
    #[schemars(range(min = 1))]
    ttl_s: Option<u64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OneSession {
    /// The session.
    session_id: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoArguments {}

/// A session.
#[derive(Serialize, JsonSchema)]
pub(super) struct SessionReply {
    /// The handle: whoever has it can use the session.
    session_id: String,
    /// Whether variables survive.
    stateful: bool,
    /// Packages that every run can import.
    requirements: Vec<String>,
    /// When it was made, ISO 8601.
    created: String,
    /// When it ends if it is not used before; ISO 8601.
    expires: String,
    /// Bytes of its files and of its variables.
    size: u64,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct SessionList {
    /// The oldest first.
    sessions: Vec<SessionReply>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Closed {
    /// The handle that is no longer valid.
    closed: String,
}

impl From<SessionInfo> for SessionReply {
    fn from(info: SessionInfo) -> SessionReply {
        SessionReply {
            session_id: info.id,
            stateful: info.stateful,
            requirements: info.requirements,
            created: render::time(info.created),
            expires: render::time(info.expires),
            size: info.bytes,
        }
    }
}

pub(super) fn definitions() -> Vec<Tool> {
    vec![
        tool::<CreateSession, SessionReply>(
            "create_session",
            "Create a session",
            "Makes a session: files in its working directory survive from run to run, with `stateful` also variables, imports and functions. Give its `session_id` to `run_code` and to the file tools.",
            &Effects::ADDS,
        ),
        tool::<OneSession, Closed>(
            "close_session",
            "Close a session",
            "Ends a session and removes its files.",
            &Effects {
                idempotent: false,
                ..Effects::REPLACES
            },
        ),
        tool::<NoArguments, SessionList>(
            "list_sessions",
            "List sessions",
            "Lists the sessions of this caller that have not ended.",
            &Effects::READS,
        ),
        tool::<OneSession, SessionReply>(
            "fork_session",
            "Fork a session",
            "Makes a new session that begins as a copy of this one; from then on they are independent.",
            &Effects::ADDS,
        ),
        tool::<OneSession, SessionReply>(
            "reset_session",
            "Reset a session",
            "Makes a session as it was when it was new: its files and variables go, its `session_id` stays.",
            &Effects::REPLACES,
        ),
    ]
}

pub(super) async fn create(call: &Call, arguments: JsonObject) -> Result<Answer<SessionReply>, Problem> {
    let arguments: CreateSession = parse("create_session", arguments)?;
    if arguments.ttl_s == Some(0) {
        return Err(bad("ttl_s", "is 0, expected at least 1"));
    }
    let new = NewSession {
        requirements: arguments.requirements,
        stateful: arguments.stateful,
        lifetime: arguments.ttl_s.map(Duration::from_secs),
    };
    let info = call
        .blocking(move |state, who| {
            // What cannot be read as a requirement is said now and not in every run.
            let names: Vec<&str> = new.requirements.iter().map(String::as_str).collect();
            Requirements::parse(&names).map_err(|error| {
                let problem = bad("requirements", &error);
                match error.hint() {
                    Some(hint) => problem.hint(hint),
                    None => problem,
                }
            })?;
            Ok::<_, Problem>(state.0.sessions.create(who, new)?)
        })
        .await?;
    Ok(described(info))
}

pub(super) async fn close(call: &Call, arguments: JsonObject) -> Result<Answer<Closed>, Problem> {
    let arguments: OneSession = parse("close_session", arguments)?;
    let id = call.needed_session(arguments.session_id)?;
    let closed = id.clone();
    call.blocking(move |state, who| state.0.sessions.close(who, &id))
        .await?;
    let text = format!("session {closed} is closed");
    Ok(Answer::text(Closed { closed }, text))
}

pub(super) async fn list(call: &Call, arguments: JsonObject) -> Result<Answer<SessionList>, Problem> {
    let NoArguments {} = parse("list_sessions", arguments)?;
    let sessions = call.blocking(|state, who| state.0.sessions.list(who)).await?;
    let sessions: Vec<SessionReply> = sessions.into_iter().map(Into::into).collect();
    let lines: Vec<String> = sessions.iter().map(line).collect();
    let text = match lines.as_slice() {
        [] if call.who.group.is_none() => {
            "none: without authentication a server lists no sessions, keep the `session_id` you got".to_owned()
        }
        [] => "no sessions".to_owned(),
        lines => lines.join("\n"),
    };
    Ok(Answer::text(SessionList { sessions }, text))
}

pub(super) async fn fork(call: &Call, arguments: JsonObject) -> Result<Answer<SessionReply>, Problem> {
    let arguments: OneSession = parse("fork_session", arguments)?;
    let id = call.needed_session(arguments.session_id)?;
    // As runs do: who waits for the session must not keep others from their files.
    let _turn = call.state.0.turns.take(&id, &call.stop).await?;
    Ok(described(
        call.blocking(move |state, who| state.0.sessions.fork(who, &id)).await?,
    ))
}

pub(super) async fn reset(call: &Call, arguments: JsonObject) -> Result<Answer<SessionReply>, Problem> {
    let arguments: OneSession = parse("reset_session", arguments)?;
    let id = call.needed_session(arguments.session_id)?;
    let _turn = call.state.0.turns.take(&id, &call.stop).await?;
    Ok(described(
        call.blocking(move |state, who| state.0.sessions.reset(who, &id))
            .await?,
    ))
}

fn described(info: SessionInfo) -> Answer<SessionReply> {
    let reply = SessionReply::from(info);
    let text = line(&reply);
    Answer::text(reply, text)
}

fn line(session: &SessionReply) -> String {
    let keeps = if session.stateful {
        "files and variables"
    } else {
        "files"
    };
    let SessionReply {
        session_id, expires, ..
    } = session;
    let size = render::size(session.size);
    format!("session_id: {session_id} (keeps {keeps}, holds {size}, ends {expires} if it is not used)")
}
