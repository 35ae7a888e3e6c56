//! A report as JSON, for `--json`.

use prims_interpreter::RunReport;
use prims_sandbox::{Exit, PythonError, Value};
use serde::Serialize;
use std::time::Duration;

/// Exit status of this program for a stopped or broken run, as `timeout` and shells use them.
pub(crate) mod status {
    /// The code raised an exception.
    pub(crate) const RAISED: u8 = 1;
    /// Wrong arguments.
    pub(crate) const USAGE: u8 = 2;
    /// The wall-clock limit, the instruction budget or the output limit ended the run.
    pub(crate) const STOPPED: u8 = 124;
    /// Interrupted from the keyboard, as shells report it.
    pub(crate) const INTERRUPTED: u8 = 130;
    /// The guest crashed.
    pub(crate) const CRASHED: u8 = 134;
    /// Memory was used up.
    pub(crate) const EXHAUSTED: u8 = 137;
}

/// The status a shell sees after a run.
pub fn exit_status(exit: &Exit) -> u8 {
    match exit {
        Exit::Completed(_) => 0,
        Exit::Raised(_) => status::RAISED,
        Exit::Exited(code) => *code,
        Exit::Stopped(prims_sandbox::StopReason::Memory) => status::EXHAUSTED,
        Exit::Stopped(prims_sandbox::StopReason::Cancelled) => status::INTERRUPTED,
        Exit::Stopped(_) => status::STOPPED,
        Exit::Crashed(_) => status::CRASHED,
    }
}

/// Everything about a run.
#[derive(Serialize)]
pub(crate) struct Report<'a> {
    /// `completed`, `raised`, `exited`, `stopped` or `crashed`.
    status: &'static str,
    exit_code: u8,
    stdout: String,
    stderr: String,
    stdout_truncated: bool,
    stderr_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a PythonError>,
    /// Why it was stopped, or how it crashed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    usage: Usage,
    packages: Vec<Package<'a>>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct Usage {
    wall_ms: f64,
    start_ms: f64,
    prepare_ms: f64,
    fuel: u64,
    peak_memory: u64,
}

#[derive(Serialize)]
struct Package<'a> {
    name: &'a str,
    version: &'a str,
}

/// Milliseconds, to the microsecond.
pub(crate) fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

impl<'a> Report<'a> {
    pub(crate) fn new(report: &'a RunReport) -> Report<'a> {
        let outcome = &report.outcome;
        let (mut value, mut error, mut reason) = (None, None, None);
        let status = match &outcome.exit {
            Exit::Completed(of) => {
                value = of.as_ref();
                "completed"
            }
            Exit::Raised(of) => {
                error = Some(of);
                "raised"
            }
            Exit::Exited(_) => "exited",
            Exit::Stopped(of) => {
                reason = Some(of.as_str());
                "stopped"
            }
            Exit::Crashed(of) => {
                reason = Some(of.message.as_str());
                "crashed"
            }
        };
        Report {
            status,
            exit_code: exit_status(&outcome.exit),
            stdout: outcome.output.stdout.text(),
            stderr: outcome.output.stderr.text(),
            stdout_truncated: outcome.output.stdout.truncated(),
            stderr_truncated: outcome.output.stderr.truncated(),
            value,
            error,
            reason,
            usage: Usage {
                wall_ms: millis(outcome.usage.wall),
                start_ms: millis(outcome.usage.start),
                prepare_ms: millis(report.prepare),
                fuel: outcome.usage.fuel,
                peak_memory: outcome.usage.peak_memory,
            },
            notes: &report.notes,
            packages: report
                .packages
                .iter()
                .map(|(name, version)| Package { name, version })
                .collect(),
        }
    }
}
