//! What a run has to say: the reply as data, and as text for a model.

use super::{Answer, Failure, artifact_uri};
use crate::report::{exit_status, millis};
use crate::server::render::{self, Text};
use crate::server::workspace::{self, Entry, Listing};
use prims_interpreter::RunReport;
use prims_sandbox::{Exit, Outcome, StopReason};
use rmcp::model::{ContentBlock, Resource};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

/// Links to artifacts in the content; the structured reply names them all.
const MAX_LINKS: usize = 20;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    /// The code ran to its end.
    Success,
    /// An exception was not caught.
    Error,
    /// The code called `sys.exit` or the like.
    Exit,
    /// The time limit passed.
    Timeout,
    /// The instruction budget was used up.
    FuelExhausted,
    /// The interpreter did not survive that memory ran out.
    MemoryLimit,
    /// More was written than may be.
    OutputLimit,
    /// The client cancelled it.
    Cancelled,
    /// The interpreter crashed; nothing else is affected.
    Crashed,
    /// The requirements cannot be met; nothing was run.
    InstallError,
    /// The request cannot be carried out as it is; nothing was run.
    Refused,
}

impl Status {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Status::Success => "success",
            Status::Error => "error",
            Status::Exit => "exit",
            Status::Timeout => "timeout",
            Status::FuelExhausted => "fuel_exhausted",
            Status::MemoryLimit => "memory_limit",
            Status::OutputLimit => "output_limit",
            Status::Cancelled => "cancelled",
            Status::Crashed => "crashed",
            Status::InstallError => "install_error",
            Status::Refused => "refused",
        }
    }

    pub(super) fn of(exit: &Exit) -> Status {
        match exit {
            Exit::Completed(_) => Status::Success,
            Exit::Raised(_) => Status::Error,
            Exit::Exited(_) => Status::Exit,
            Exit::Stopped(StopReason::WallClock) => Status::Timeout,
            Exit::Stopped(StopReason::Fuel) => Status::FuelExhausted,
            Exit::Stopped(StopReason::Memory) => Status::MemoryLimit,
            Exit::Stopped(StopReason::Output) => Status::OutputLimit,
            Exit::Stopped(StopReason::Cancelled) => Status::Cancelled,
            Exit::Crashed(_) => Status::Crashed,
        }
    }
}

/// What happened.
#[derive(Serialize, JsonSchema)]
pub(super) struct RunReply {
    /// How the run ended.
    pub(super) status: Status,
    /// What the code wrote to stdout.
    stdout: String,
    /// What the code wrote to stderr.
    stderr: String,
    /// The value of the last expression as JSON; `null` if it has no such form or there is none.
    return_value: Value,
    /// `repr` of the value of the last expression; `null` if there is none.
    return_repr: Option<String>,
    /// What went wrong, if something did.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<RunError>,
    /// The status a process would have; `null` if nothing was run.
    pub(super) exit_code: Option<u8>,
    /// The files below `output/`.
    artifacts: Vec<Artifact>,
    /// The session, or a handle under which the files of this run can be read for a while; `null` if there are none.
    session_id: Option<String>,
    /// The packages the code could import.
    environment: Vec<Package>,
    /// What the run used.
    usage: Usage,
    /// What was cut because it was too long.
    truncated: Truncated,
    /// How to get more out of the next run.
    #[serde(skip_serializing_if = "Option::is_none")]
    feedback: Option<String>,
}

#[derive(Clone, Serialize, JsonSchema)]
struct RunError {
    /// The exception's class, or what kind of failure it is.
    #[serde(rename = "type")]
    kind: String,
    /// What it says.
    message: String,
    /// The traceback as Python prints it.
    #[serde(skip_serializing_if = "Option::is_none")]
    traceback: Option<String>,
    /// The line of the code it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Artifact {
    /// Its file name.
    name: String,
    /// Its path in the workspace.
    relative_path: String,
    /// Bytes.
    size: u64,
    /// Media type, guessed from the name.
    mime: String,
    /// To read it as a resource.
    uri: String,
}

#[derive(Serialize, JsonSchema)]
struct Package {
    name: String,
    version: String,
}

#[derive(Default, Serialize, JsonSchema)]
struct Usage {
    /// Milliseconds from the making of the instance to the end of the code.
    wall_ms: f64,
    /// Milliseconds spent waiting for a turn.
    queue_ms: f64,
    /// Milliseconds spent on making the environment ready.
    prepare_ms: f64,
    /// Metering units, an estimate of WebAssembly instructions.
    fuel: u64,
    /// Largest linear memory.
    peak_memory_bytes: u64,
}

#[derive(Default, Serialize, JsonSchema)]
struct Truncated {
    stdout: bool,
    stderr: bool,
    return_value: bool,
}

/// The reply when nothing was run.
pub(super) fn refused(failure: Failure, status: Status, session_id: Option<String>) -> Answer<RunReply> {
    let text = format!("status: {}\n{}", status.as_str(), failure.text());
    let error = RunError {
        kind: failure.kind.to_owned(),
        message: failure.message,
        traceback: None,
        line: None,
        hint: failure.hint,
    };
    let reply = RunReply {
        status,
        stdout: String::new(),
        stderr: String::new(),
        return_value: Value::Null,
        return_repr: None,
        error: Some(error),
        exit_code: None,
        artifacts: vec![],
        session_id,
        environment: vec![],
        usage: Usage::default(),
        truncated: Truncated::default(),
        feedback: None,
    };
    Answer::text(reply, text)
}

/// The reply after a run.
pub(super) fn ran(
    report: RunReport,
    session_id: Option<String>,
    files: &Listing,
    queue: Duration,
    with_links: bool,
) -> Answer<RunReply> {
    let prepare = report.prepare;
    let mut notes = report.notes;
    if files.truncated {
        notes.push("there are more files in `output/` than are listed".to_owned());
    }
    let artifacts = artifacts(session_id.as_deref(), files);
    let environment = report
        .packages
        .into_iter()
        .map(|(name, version)| Package { name, version })
        .collect();
    let Outcome { exit, output, usage } = report.outcome;
    let (status, exit_code) = (Status::of(&exit), exit_status(&exit));
    let error = run_error(&exit, &usage);
    let (mut return_value, mut return_repr, mut value_cut, mut picture) = (Value::Null, None, false, None);
    if let Exit::Completed(Some(value)) = exit {
        return_value = value.json.unwrap_or(Value::Null);
        return_repr = Some(value.repr);
        value_cut = value.repr_truncated;
        picture = value.rich.filter(|rich| shown_as_picture(&rich.mime));
    }
    let reply = RunReply {
        status,
        stdout: output.stdout.text(),
        stderr: output.stderr.text(),
        return_value,
        return_repr,
        error,
        exit_code: Some(exit_code),
        artifacts,
        session_id,
        environment,
        usage: Usage {
            wall_ms: millis(usage.wall),
            queue_ms: millis(queue),
            prepare_ms: millis(prepare),
            fuel: usage.fuel,
            peak_memory_bytes: usage.peak_memory,
        },
        truncated: Truncated {
            stdout: output.stdout.truncated(),
            stderr: output.stderr.truncated(),
            return_value: value_cut,
        },
        feedback: None,
    };
    let reply = RunReply {
        feedback: feedback(&reply, &notes),
        ..reply
    };
    let mut content = vec![ContentBlock::text(text(&reply, &notes))];
    content.extend(picture.map(|rich| ContentBlock::image(rich.data, rich.mime)));
    if with_links {
        let links = reply.artifacts.iter().take(MAX_LINKS).map(|artifact| {
            let link = Resource::new(artifact.uri.clone(), artifact.name.clone());
            ContentBlock::resource_link(link.with_mime_type(artifact.mime.clone()).with_size(artifact.size))
        });
        content.extend(links);
    }
    Answer { reply, content }
}

/// The types that clients show and models see; others would make the whole result unreadable for some.
fn shown_as_picture(mime: &str) -> bool {
    matches!(mime, "image/png" | "image/jpeg" | "image/gif" | "image/webp")
}

fn artifacts(session: Option<&str>, files: &Listing) -> Vec<Artifact> {
    let Some(session) = session else { return vec![] };
    let artifact = |file: &Entry| Artifact {
        name: file.path.name().to_owned(),
        relative_path: file.path.as_str().to_owned(),
        size: file.size,
        mime: workspace::mime(file.path.name()).to_owned(),
        uri: artifact_uri(session, file.path.as_str()),
    };
    files.entries.iter().map(artifact).collect()
}

/// What went wrong, in words for whoever wrote the code.
fn run_error(exit: &Exit, usage: &prims_sandbox::Usage) -> Option<RunError> {
    let stopped = |kind: &str, message: String, hint: &str| {
        Some(RunError {
            kind: kind.to_owned(),
            message,
            traceback: None,
            line: None,
            hint: Some(hint.to_owned()),
        })
    };
    let seconds = usage.wall.as_secs_f64();
    match exit {
        Exit::Completed(_) | Exit::Exited(0) => None,
        Exit::Exited(code) => Some(RunError {
            kind: "SystemExit".into(),
            message: format!("the code ended with status {code}"),
            traceback: None,
            line: None,
            hint: None,
        }),
        Exit::Raised(error) => Some(RunError {
            kind: error.kind.clone(),
            message: error.message.clone(),
            traceback: Some(error.traceback.clone()),
            line: error.line,
            hint: None,
        }),
        Exit::Stopped(StopReason::WallClock) => stopped(
            "timeout",
            format!("stopped after {seconds:.1} s: the time limit passed"),
            "do less per run, or ask for more with `timeout_ms`",
        ),
        Exit::Stopped(StopReason::Fuel) => stopped(
            "fuel_exhausted",
            format!("stopped after {} units: the instruction budget was used up", usage.fuel),
            "do less per run, or ask for more with `fuel`",
        ),
        Exit::Stopped(StopReason::Memory) => stopped(
            "memory_limit",
            format!("stopped at {}: memory ran out", render::size(usage.peak_memory)),
            "work on smaller pieces, or ask for more with `memory_mb`",
        ),
        Exit::Stopped(StopReason::Output) => stopped(
            "output_limit",
            "stopped: more was written than the output limit allows".into(),
            "write large results to a file in `output/`",
        ),
        Exit::Stopped(StopReason::Cancelled) => stopped(
            "cancelled",
            format!("cancelled after {seconds:.1} s"),
            "what was written until then is here",
        ),
        Exit::Crashed(crash) => stopped(
            "crashed",
            format!("the interpreter crashed: {}", crash.message),
            "often endless recursion in native code, or `os.abort()`; nothing else is affected",
        ),
    }
}

/// What to do when a run shows nothing.
const SILENT: &str =
    "the code ran but showed nothing: end it with an expression, print something, or write files to `output/`";

fn feedback(reply: &RunReply, notes: &[String]) -> Option<String> {
    let silent = reply.stdout.is_empty() && reply.return_repr.is_none() && reply.artifacts.is_empty();
    let mut said = notes.to_vec();
    if reply.status == Status::Success && silent {
        said.push(SILENT.to_owned());
    }
    (!said.is_empty()).then(|| said.join("\n"))
}

fn text(reply: &RunReply, notes: &[String]) -> String {
    let mut text = Text::default();
    if reply.status != Status::Success {
        text.part("status", reply.status.as_str());
    }
    text.part("stdout", &reply.stdout).part("stderr", &reply.stderr);
    if let Some(repr) = &reply.return_repr {
        text.part("value", repr);
        if reply.truncated.return_value {
            text.line("[value cut]");
        }
    }
    if let Some(error) = &reply.error {
        match &error.traceback {
            Some(traceback) => text.part("error", traceback),
            None => text.part("error", &error.message),
        };
        if let Some(hint) = &error.hint {
            text.part("hint", hint);
        }
    }
    let files: Vec<String> = reply
        .artifacts
        .iter()
        .map(|file| format!("{} ({}, {})", file.relative_path, render::size(file.size), file.mime))
        .collect();
    text.part("files", &files.join("\n"));
    if let (Some(session), false) = (&reply.session_id, reply.artifacts.is_empty()) {
        text.part("session_id", session);
    }
    match &reply.feedback {
        Some(feedback) if text.is_empty() => text.or(feedback),
        _ => text.part("note", &notes.join("\n")).or("done, nothing was shown"),
    }
}
