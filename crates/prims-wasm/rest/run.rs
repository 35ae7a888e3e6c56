//! One run as the BeeAI code interpreter reports it: a workspace with the files that were named, the code, and the files it left.

use super::model::{ExecuteRequest, ExecuteResponse, Files};
use super::store::{self, Store};
use super::{Problem, Shared, check, shell};
use crate::auth::Caller;
use crate::report::exit_status;
use crate::server::{Blame, Full, Incident, RunFacts, RunFolder, blame, facts};
use prims_interpreter::{FileError, Interpreter, ListOptions, RunReport, RunRequest, Workspace, WorkspacePath};
use prims_sandbox::{Cancel, Exit, Invocation, Limits, Outcome, StopReason};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

/// Files that are given back after one run.
const MAX_RETURNED: usize = 1000;
/// What a run that took too long has to say.
const TIMED_OUT: &str = "Execution timed out";

/// The folder of one run, removed after it.
struct Scratch {
    folder: RunFolder,
    /// Whether files may be put there.
    room: Result<(), Full>,
}

/// What a file was before the run: another one under its name, or one that was written to, differs.
#[derive(PartialEq, Eq)]
struct Before {
    node: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Before {
    fn of(found: &fs::Metadata) -> Before {
        Before {
            node: found.ino(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

impl Scratch {
    fn new(state: &crate::server::Shared) -> std::io::Result<Scratch> {
        let (folder, room) = state.sessions.scratch()?;
        Ok(Scratch { folder, room })
    }

    fn open(&self) -> std::io::Result<Workspace> {
        let spool = self.folder.path().with_file_name("spool");
        Workspace::open(&self.folder.path(), &spool, self.folder.quota.clone())
    }

    /// Puts the named files there. No code has been here yet, so there are no links to follow.
    fn furnish(
        &self,
        store: &Store,
        caller: &Caller,
        files: &Files,
        most: u64,
    ) -> Result<BTreeMap<String, Before>, Problem> {
        if let (false, Err(full)) = (files.is_empty(), &self.room) {
            return Err(Problem::Busy(full.to_string()));
        }
        let mut before = BTreeMap::new();
        let mut left = most;
        // Times may be coarse: what is written at once must differ from this.
        let earlier = SystemTime::now() - Duration::from_secs(1);
        for (path, id) in files {
            let below = check::below_workspace(path).map_err(Problem::Request)?;
            let (mut from, length) = match store.get(caller, id, left) {
                Err(store::Error::TooLarge(_)) => return Err(Problem::Full(most)),
                found => found?,
            };
            left -= length;
            let place = self.folder.path().join(below.as_str());
            let mut write = || -> std::io::Result<Before> {
                fs::create_dir_all(place.parent().unwrap_or(&self.folder.path()))?;
                let mut to = fs::File::create_new(&place)?;
                std::io::copy(&mut from, &mut to)?;
                to.set_modified(earlier)?;
                Ok(Before::of(&to.metadata()?))
            };
            let noted = write().map_err(|error| match error.kind() {
                // Two names for one file, or a file where another needs a folder.
                std::io::ErrorKind::AlreadyExists
                | std::io::ErrorKind::NotADirectory
                | std::io::ErrorKind::IsADirectory => {
                    Problem::Request(format!("`{path}` is where another of the files is"))
                }
                _ => Problem::Fault(Incident::log(&format_args!(
                    "a file cannot be put into a workspace: {error}"
                ))),
            })?;
            before.insert(below.as_str().to_owned(), noted);
        }
        Ok(before)
    }

    /// Keeps what is new or was written to directly in the workspace; and whether there was more of it than is given back.
    fn collect(
        &self,
        store: &Store,
        caller: &Caller,
        before: &BTreeMap<String, Before>,
    ) -> Result<(Files, bool), Problem> {
        let workspace = self.open().map_err(store::Error::Io)?;
        let options = ListOptions {
            files_only: true,
            limit: MAX_RETURNED,
            ..ListOptions::default()
        };
        let listing = workspace.list(&WorkspacePath::root(), &options).map_err(fault)?;
        let mut files = Files::new();
        for entry in listing.entries {
            let mut file = workspace.open_file(&entry.path).map_err(fault)?.into_std();
            let now = Before::of(&file.metadata().map_err(store::Error::Io)?);
            let name = entry.path.as_str();
            if before.get(name) != Some(&now) {
                files.insert(format!("/workspace/{name}"), store.save(caller, &mut file)?);
            }
        }
        Ok((files, listing.truncated))
    }
}

fn fault(error: FileError) -> Problem {
    Problem::Fault(Incident::log(&format_args!("a workspace failed: {error:?}")))
}

/// The limits of a run that may ask for its time. What it may ask for has been checked.
pub(super) fn limits(state: &crate::server::Shared, timeout: Option<f64>) -> Limits {
    let asked = timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Limits {
        // As long as there is.
        wall_clock: asked.map_or(state.limits.wall_clock, |asked| {
            asked.clamp(Duration::from_millis(1), state.ceilings.wall_clock)
        }),
        ..state.limits
    }
}

/// Carries out a request on a thread that may block.
pub(super) fn execute(
    shared: &Shared,
    interpreter: &Interpreter,
    caller: &Caller,
    request: ExecuteRequest,
    cancel: Cancel,
    queue: Duration,
) -> Result<ExecuteResponse, Problem> {
    let state = &shared.state.0;
    let limits = limits(state, request.timeout);
    let scratch = Scratch::new(state).map_err(store::Error::Io)?;
    let before = scratch.furnish(&shared.store, caller, &request.files, limits.files_bytes)?;
    let asked = RunRequest {
        requirements: state.requirements.clone(),
        lock: None,
        invocation: Invocation {
            env: request.env,
            limits,
            workspace: Some(scratch.folder.path()),
            workspace_quota: Some(scratch.folder.quota.clone()),
            cancel,
            ..Invocation::new(request.source_code.clone())
        },
    };
    let report = match interpreter.run(&asked) {
        Ok(report) => report,
        Err(error) => return not_run(state, error, queue),
    };
    let mut response = told(&report, &request.source_code);
    let (files, more) = scratch.collect(&shared.store, caller, &before)?;
    response.files = files;
    if more {
        response.stderr += &format!("\nonly {MAX_RETURNED} of the files are given back\n");
    }
    state.observer.finished(&facts(&report, queue));
    Ok(response)
}

/// What is wrong with the packages is for whoever wrote the code; everything else is a fault of ours.
pub(super) fn not_run(
    state: &crate::server::Shared,
    error: prims_interpreter::Error,
    queue: Duration,
) -> Result<ExecuteResponse, Problem> {
    let blame = blame(&error);
    if blame == Blame::Host {
        return Err(Problem::Fault(Incident::of("a run failed", &error)));
    }
    state.observer.finished(&RunFacts::nothing_ran(blame.counted(), queue));
    let hint = error.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    Ok(ExecuteResponse {
        stderr: format!("error: {error}{hint}\n"),
        exit_code: 1,
        ..ExecuteResponse::default()
    })
}

/// A report in the shape of that service, but for the files.
pub(super) fn told(report: &RunReport, source: &str) -> ExecuteResponse {
    let Outcome { exit, output, usage } = &report.outcome;
    if matches!(exit, Exit::Stopped(StopReason::WallClock)) {
        return ExecuteResponse {
            stderr: TIMED_OUT.into(),
            exit_code: -1,
            ..ExecuteResponse::default()
        };
    }
    let mut stderr = output.stderr.text();
    let mut line = |text: &str| {
        if !stderr.is_empty() && !stderr.ends_with('\n') {
            stderr.push('\n');
        }
        stderr.push_str(text);
        if !text.ends_with('\n') {
            stderr.push('\n');
        }
    };
    match exit {
        Exit::Completed(_) | Exit::Exited(_) => {}
        Exit::Raised(error) => {
            line(&error.traceback);
            if error.kind == "SyntaxError"
                && let Some(hint) = shell::hint(source, error.line)
            {
                line(&hint);
            }
            if error.kind == "ModuleNotFoundError" {
                report.notes.iter().for_each(|note| line(note));
            }
        }
        Exit::Stopped(StopReason::Memory) => {
            line(&format!("stopped at {} MiB: memory ran out", usage.peak_memory >> 20));
        }
        Exit::Stopped(StopReason::Fuel) => line("stopped: the instruction budget was used up"),
        Exit::Stopped(StopReason::Output) => line("stopped: more was written than the output limit allows"),
        Exit::Stopped(_) => line("stopped: cancelled"),
        Exit::Crashed(crash) => line(&format!("the interpreter crashed: {}", crash.message)),
    }
    ExecuteResponse {
        stdout: output.stdout.text(),
        stderr,
        exit_code: i32::from(exit_status(exit)),
        files: Files::new(),
    }
}
