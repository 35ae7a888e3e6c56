//! What happened, as Python sees it.

use crate::errors::Error;
use crate::files::{Described, RunFolder};
use prims_sandbox::{Exit, Outcome, StopReason};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::time::Duration;

/// What a run of either kind did.
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) packages: Vec<(String, String)>,
    pub(crate) notes: Vec<String>,
    pub(crate) prepare: Duration,
    /// The files below `output/`.
    pub(crate) artifacts: Vec<Described>,
    /// Where they are; `None` in a session, and where there are none.
    pub(crate) folder: Option<RunFolder>,
}

fn status(exit: &Exit) -> &'static str {
    match exit {
        Exit::Completed(_) => "success",
        Exit::Raised(_) => "error",
        Exit::Exited(_) => "exit",
        Exit::Stopped(StopReason::WallClock) => "timeout",
        Exit::Stopped(StopReason::Fuel) => "fuel_exhausted",
        Exit::Stopped(StopReason::Memory) => "memory_limit",
        Exit::Stopped(StopReason::Output) => "output_limit",
        Exit::Stopped(StopReason::Cancelled) => "cancelled",
        Exit::Crashed(_) => "crashed",
    }
}

/// The reply as a dictionary; the package makes a typed result of it.
pub(crate) fn reply<'py>(py: Python<'py>, ran: Ran, lines: bool) -> PyResult<Bound<'py, PyDict>> {
    let reply = PyDict::new(py);
    let Outcome { exit, output, usage } = ran.outcome;
    reply.set_item("status", status(&exit))?;
    reply.set_item("exit_code", prims_wasm::exit_status(&exit))?;
    reply.set_item("stdout", output.stdout.text())?;
    reply.set_item("stderr", output.stderr.text())?;
    reply.set_item("truncated", (output.stdout.truncated(), output.stderr.truncated()))?;
    if lines {
        reply.set_item("lines", prims_wasm::output_lines(&output))?;
    }
    match exit {
        Exit::Completed(Some(value)) => {
            reply.set_item("repr", value.repr)?;
            reply.set_item("value", value.json.map(|json| json.to_string()))?;
            reply.set_item("rich", value.rich.map(|rich| (rich.mime, rich.data)))?;
        }
        Exit::Raised(error) => {
            let kind = if error.module == "builtins" {
                error.kind
            } else {
                format!("{}.{}", error.module, error.kind)
            };
            reply.set_item("error", (kind, error.message, error.traceback, error.line))?;
        }
        Exit::Crashed(crash) => reply.set_item("crash", crash.message)?,
        Exit::Completed(None) | Exit::Exited(_) | Exit::Stopped(_) => {}
    }
    let seconds = (
        usage.wall.as_secs_f64(),
        usage.start.as_secs_f64(),
        ran.prepare.as_secs_f64(),
    );
    reply.set_item(
        "usage",
        (seconds.0, seconds.1, seconds.2, usage.fuel, usage.peak_memory),
    )?;
    reply.set_item("packages", ran.packages)?;
    reply.set_item("notes", ran.notes)?;
    reply.set_item("artifacts", ran.artifacts)?;
    reply.set_item("folder", ran.folder)?;
    Ok(reply)
}

/// The reply to requirements that cannot be met: nothing was run.
pub(crate) fn not_installed<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyDict>> {
    let reply = PyDict::new(py);
    reply.set_item("status", "install_error")?;
    reply.set_item("not_installed", (error.to_string(), error.hint()))?;
    Ok(reply)
}
