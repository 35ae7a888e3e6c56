//! `run_code`: the tool everything else is there for.

use super::arguments::{bad, base64, parse};
use super::run_reply::{RunReply, Status, ran, refused};
use super::{Answer, Call, Effects, Failure, Problem, define, result, schema};
use crate::server::bridge::{Incident, telling};
use crate::server::sessions::SessionRun;
use crate::server::state::{RunFacts, Shared};
use crate::server::workspace::{self, MOUNTS, Workspace, WorkspacePath};
use prims_interpreter::{RunReport, RunRequest};
use prims_sandbox::{Cancel, Invocation, Limits};
use rmcp::ErrorData;
use rmcp::model::{CallToolResult, JsonObject, ProtocolVersion, Tool};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Bytes of code: more than any program somebody wrote, and far less than what makes a parser slow.
pub(crate) const MAX_CODE: usize = 1 << 20;
/// Files given with one run.
const MAX_FILES: usize = 64;
/// Environment variables, and bytes of all of them.
pub(crate) const MAX_ENV: (usize, usize) = (256, 64 << 10);
/// What a failure of ours is counted as.
pub(super) const FAULT: &str = "fault";
const DESCRIPTION: &str = "Runs Python code in a fresh, isolated interpreter and returns stdout, stderr, the value of the last expression, the error with its \
traceback if it raised, and the files it wrote to `output/`. Nothing survives the run but what a session keeps.";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RunCode {
    /// Python source. The value of its last expression is returned; top-level `await` works.
    code: String,
    /// Packages to install before the run, as in `pip install`, for example `["numpy", "requests>=2"]`.
    #[serde(default)]
    requirements: Vec<String>,
    /// Files to put into the working directory before the run.
    #[serde(default)]
    files: Vec<FileArgument>,
    /// Variables the code finds defined: names and JSON values.
    #[serde(default)]
    globals: JsonObject,
    /// What `input()` and `sys.stdin` read.
    stdin: Option<String>,
    /// Environment variables.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// A session of `create_session`, whose files the code sees and changes. Without one the run has a workspace of its own.
    session_id: Option<String>,
    /// Wall-clock limit in milliseconds.
    #[schemars(range(min = 1))]
    timeout_ms: Option<u64>,
    /// Memory limit in MiB.
    #[schemars(range(min = 1))]
    memory_mb: Option<u64>,
    /// Instruction budget in metering units.
    #[schemars(range(min = 1))]
    fuel: Option<u64>,
}

/// A file: where it goes, and one of `content`, `content_base64` and `url`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FileArgument {
    /// Where it goes, relative to the working directory.
    path: Option<String>,
    /// Where it goes below `mounts/`, instead of `path`.
    #[serde(rename = "mountPath")]
    mount_path: Option<String>,
    /// Its text.
    content: Option<String>,
    /// Its bytes.
    content_base64: Option<String>,
    /// Where to get it.
    url: Option<String>,
}

pub(super) fn definition() -> Tool {
    let effects = Effects {
        // Code in a session may delete its files.
        destructive: true,
        ..Effects::ADDS
    };
    define::<RunCode>(
        "run_code",
        "Run Python code",
        DESCRIPTION,
        &effects,
        schema::output::<RunReply>(),
    )
}

/// A run that can be carried out.
struct Job {
    session: Option<String>,
    files: Vec<(WorkspacePath, Vec<u8>)>,
    request: RunRequest,
    cancel: Cancel,
}

pub(super) async fn run_code(call: Call, arguments: JsonObject) -> Result<CallToolResult, ErrorData> {
    let ended = match parse::<RunCode>("run_code", arguments) {
        Ok(arguments) => match job(&call, arguments).await {
            Ok(job) => run(&call, job).await,
            Err(problem) => Err(problem),
        },
        Err(problem) => Err(problem),
    };
    // Links came with this revision; clients of older ones refuse content they do not know.
    let with_links = call.knows(&ProtocolVersion::V_2025_06_18);
    let (answer, facts) = concluded(ended, with_links);
    // Whatever became of it, it is counted, and the client has heard everything before the answer.
    call.state.0.observer.finished(&facts);
    call.live.finish(&call.stop).await;
    let answer = answer?;
    let is_error = match answer.reply.status {
        Status::Success => false,
        Status::Exit => answer.reply.exit_code != Some(0),
        _ => true,
    };
    result(&answer.reply, answer.content, is_error)
}

/// What is answered, and what is counted.
fn concluded(
    ended: Result<(Duration, SessionRun), Problem>,
    with_links: bool,
) -> (Result<Answer<RunReply>, Incident>, RunFacts) {
    let (queue, run) = match ended {
        Ok(ended) => ended,
        Err(problem) => {
            let facts = RunFacts::nothing_ran(problem.counted(), Duration::ZERO);
            let answer = match problem {
                Problem::Failure(failure) if failure.kind == "cancelled" => {
                    Ok(refused(failure, Status::Cancelled, None))
                }
                Problem::Failure(failure) => Ok(refused(failure, Status::Refused, None)),
                Problem::Fault(incident) => Err(incident),
            };
            return (answer, facts);
        }
    };
    match run.result {
        Ok(report) => {
            let facts = facts(&report, queue);
            let reply = ran(report, run.session_id, &run.artifacts, queue, with_links);
            (Ok(reply), facts)
        }
        Err(error) => match not_run(&error, run.session_id) {
            Ok((reply, status)) => (Ok(reply), RunFacts::nothing_ran(status.as_str(), queue)),
            Err(incident) => (Err(incident), RunFacts::nothing_ran(FAULT, queue)),
        },
    }
}

/// Validates arguments and gets what they name.
async fn job(call: &Call, arguments: RunCode) -> Result<Job, Problem> {
    let limits = limits(&call.state.0, &arguments)?;
    validate(&arguments)?;
    let files = files(call, arguments.files, limits.files_bytes).await?;
    let mut requirements = call.state.0.requirements.clone();
    for requirement in arguments.requirements {
        if !requirements.contains(&requirement) {
            requirements.push(requirement);
        }
    }
    let cancel = Cancel::new();
    let invocation = Invocation {
        env: arguments.env,
        stdin: arguments.stdin,
        globals: arguments.globals,
        limits,
        cancel: cancel.clone(),
        sink: call.live.sink(),
        ..Invocation::new(arguments.code)
    };
    Ok(Job {
        session: call.session(arguments.session_id),
        files,
        request: RunRequest {
            lock: None,
            requirements,
            invocation,
        },
        cancel,
    })
}

fn validate(arguments: &RunCode) -> Result<(), Problem> {
    if arguments.code.len() > MAX_CODE {
        let found = arguments.code.len();
        return Err(bad("code", format!("has {found} bytes, expected at most {MAX_CODE}"))
            .hint("put data into `files`, `globals` or `stdin`"));
    }
    let env = &arguments.env;
    let bytes: usize = env.iter().map(|(name, value)| name.len() + value.len()).sum();
    if env.len() > MAX_ENV.0 || bytes > MAX_ENV.1 {
        let (names, most) = MAX_ENV;
        return Err(bad(
            "env",
            format!("is too large, expected at most {names} names and {most} bytes"),
        ));
    }
    for (name, value) in env {
        if !is_variable(name, value) {
            let message = format!(
                "`{}` is not a variable, expected a name without `=`",
                name.escape_debug()
            );
            return Err(bad("env", message));
        }
    }
    Ok(())
}

/// Whether a process can have this environment variable.
pub(crate) fn is_variable(name: &str, value: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0')
}

/// The limits that are asked for, none above the operator's ceiling.
fn limits(state: &Shared, arguments: &RunCode) -> Result<Limits, Problem> {
    let ask = |field, asked: Option<u64>, ceiling: u64| match asked {
        Some(0) => Err(bad(field, "is 0, expected at least 1")),
        Some(asked) if asked > ceiling => {
            Err(bad(field, format!("is {asked}, expected at most {ceiling}")).hint("leave it out for the default"))
        }
        asked => Ok(asked),
    };
    let ceilings = &state.ceilings;
    let mut limits = state.limits;
    let ceiling_ms = u64::try_from(ceilings.wall_clock.as_millis()).unwrap_or(u64::MAX);
    if let Some(millis) = ask("timeout_ms", arguments.timeout_ms, ceiling_ms)? {
        limits.wall_clock = Duration::from_millis(millis);
    }
    if let Some(mebibytes) = ask("memory_mb", arguments.memory_mb, ceilings.memory >> 20)? {
        limits.memory = mebibytes << 20;
    }
    if let Some(fuel) = ask("fuel", arguments.fuel, ceilings.fuel)? {
        limits.fuel = fuel;
    }
    Ok(limits)
}

/// The files of a request, decoded and fetched.
async fn files(call: &Call, files: Vec<FileArgument>, most: u64) -> Result<Vec<(WorkspacePath, Vec<u8>)>, Problem> {
    if files.len() > MAX_FILES {
        return Err(bad(
            "files",
            format!("has {} entries, expected at most {MAX_FILES}", files.len()),
        ));
    }
    let mut ready: Vec<(WorkspacePath, Vec<u8>)> = vec![];
    let mut left = most;
    for (at, file) in files.into_iter().enumerate() {
        let field = |name: &str| format!("files[{at}].{name}");
        let path = match (&file.path, &file.mount_path) {
            (Some(path), None) => workspace::file(path).map_err(|error| bad(&field("path"), error))?,
            (None, Some(path)) => workspace::file(path)
                .and_then(|path| workspace::below(MOUNTS, &path))
                .map_err(|error| bad(&field("mountPath"), error))?,
            _ => return Err(bad(&field("path"), "expected one of `path` and `mountPath`")),
        };
        if ready.iter().any(|(other, _)| *other == path) {
            return Err(bad(&field("path"), format!("`{}` is given twice", path.as_str())));
        }
        let bytes = match (file.content, file.content_base64, file.url) {
            (Some(text), None, None) => text.into_bytes(),
            (None, Some(text), None) => base64(&field("content_base64"), &text)?,
            (None, None, Some(url)) => fetch(call, &field("url"), &url, left).await?,
            _ => {
                let expected = "expected one of `content`, `content_base64` and `url`";
                return Err(bad(&format!("files[{at}]"), expected));
            }
        };
        left = left.saturating_sub(bytes.len() as u64);
        ready.push((path, bytes));
    }
    Ok(ready)
}

/// Gets what is at a URL, unless nobody wants it any more.
pub(super) async fn fetch(call: &Call, field: &str, url: &str, most: u64) -> Result<Vec<u8>, Problem> {
    let fetched = tokio::select! {
        fetched = call.state.0.fetcher.get(url, most) => fetched,
        () = call.stop.cancelled() => return Err(Problem::failure("cancelled", "cancelled while a file was fetched")),
    };
    match fetched {
        Ok(fetched) => Ok(fetched.bytes),
        Err(error) => {
            let problem = Problem::failure("fetch_failed", format!("argument `{field}`: {error}"));
            Err(match error.hint {
                Some(hint) => problem.hint(hint),
                None => problem,
            })
        }
    }
}

async fn run(call: &Call, job: Job) -> Result<(Duration, SessionRun), Problem> {
    let (state, who, teller) = (call.state.clone(), call.who.clone(), call.live.teller());
    // One after the other already here, so that those who wait do not hold permits.
    let _turn = match &job.session {
        Some(session) => Some(call.state.0.turns.take(session, &call.stop).await?),
        None => None,
    };
    let work = move |queue| {
        let tell = teller.clone();
        let prepare = |workspace: &Workspace| {
            job.files
                .iter()
                .try_for_each(|(path, bytes)| workspace.write(path, bytes, false).map(drop))
        };
        let ended = telling(
            move |step| tell.prepare(step),
            || {
                if !state.0.interpreter.is_made() {
                    // Maybe by another thread, which then tells nobody.
                    teller.tell("making the interpreter ready, once per version");
                }
                let interpreter = state.0.interpreter.get();
                let interpreter =
                    interpreter.map_err(|error| Problem::Fault(Incident::of("no interpreter", &error)))?;
                teller.tell("running");
                let (sessions, session) = (&state.0.sessions, job.session.as_deref());
                Ok(sessions.run(&who, session, interpreter, job.request, prepare)?)
            },
        );
        ended.map(|run: SessionRun| (queue, run))
    };
    call.state.0.bridge.run(&call.stop, job.cancel, work).await?
}

/// What a run was, for metrics.
pub(crate) fn facts(report: &RunReport, queue: Duration) -> RunFacts {
    let usage = &report.outcome.usage;
    RunFacts {
        status: Status::of(&report.outcome.exit).as_str(),
        queue,
        prepare: report.prepare,
        start: usage.start,
        run: usage.wall,
        fuel: usage.fuel,
        peak_memory: usage.peak_memory,
    }
}

/// What keeps the interpreter from doing its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// The packages that were asked for.
    Packages,
    /// The request itself.
    Request,
    /// Us.
    Host,
}

impl Blame {
    /// What a run that this keeps from running is counted as.
    pub(crate) fn counted(self) -> &'static str {
        match self {
            Blame::Packages => Status::InstallError.as_str(),
            Blame::Request => Status::Refused.as_str(),
            Blame::Host => FAULT,
        }
    }
}

/// Whose move it is.
pub(crate) fn blame(error: &prims_interpreter::Error) -> Blame {
    use prims_interpreter::Error;
    use prims_sandbox::Error as Sandbox;
    match error {
        Error::Packages(prims_packages::Error::Cache(_)) => Blame::Host,
        Error::Packages(_) | Error::Sandbox(Sandbox::Module { .. } | Sandbox::Start { .. }) => Blame::Packages,
        Error::Sandbox(Sandbox::Limit(_) | Sandbox::Invalid(_)) => Blame::Request,
        _ => Blame::Host,
    }
}

/// The reply when the interpreter could not do its part: the model's move, the operator's, or a fault of ours.
fn not_run(
    error: &prims_interpreter::Error,
    session_id: Option<String>,
) -> Result<(Answer<RunReply>, Status), Incident> {
    let (status, kind) = match blame(error) {
        Blame::Packages => (Status::InstallError, "install_error"),
        Blame::Request => (Status::Refused, "invalid_arguments"),
        Blame::Host => return Err(Incident::of("a run failed", error)),
    };
    let failure = Failure {
        kind,
        message: error.to_string(),
        hint: error.hint(),
    };
    Ok((refused(failure, status, session_id), status))
}
