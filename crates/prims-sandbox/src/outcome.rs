//! What is asked of a run, and what it did.
//!
//! What the guest did is a value ([`Outcome`]); what the host failed to do is an error. [`Report`] is the guest's *claim*
//! about itself; the exit, captured bytes and usage are the host's observation.

use crate::limits::Limits;
use crate::mounts::FolderQuota;
use crate::stop::{Cancel, StopReason};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::wasi::Captured;
pub use crate::wasi::Stream;

/// Receives output while it is written, on the thread that runs the guest. It must not block for long: the guest waits.
pub type OutputSink = Arc<dyn Fn(Stream, &[u8]) + Send + Sync>;

/// One run of one piece of code.
#[derive(Clone)]
pub struct Invocation {
    /// Python source.
    pub code: String,
    /// What tracebacks call it; a real file name also becomes `__file__` below `/workspace`.
    pub filename: String,
    /// `sys.argv`.
    pub argv: Vec<String>,
    /// Added to the sandbox's own few environment variables; nothing is inherited from the host.
    pub env: BTreeMap<String, String>,
    /// What `input()` and `sys.stdin` read.
    pub stdin: Option<String>,
    /// Variables the code finds defined.
    pub globals: serde_json::Map<String, serde_json::Value>,
    /// What the run may use.
    pub limits: Limits,
    /// Host folder shown as `/workspace`, writable. `None`: an empty folder that is removed after the run.
    pub workspace: Option<PathBuf>,
    /// What `/workspace` may hold, where others write to that folder too. `None`: a quota of this run's own, from its limits.
    pub workspace_quota: Option<FolderQuota>,
    /// Host folder shown as `/mounts`, read-only. `None`: empty.
    pub mounts: Option<PathBuf>,
    /// Stops the run from another thread.
    pub cancel: Cancel,
    /// Also gets the output as it is written.
    pub sink: Option<OutputSink>,
    /// Stop the run at the output limit instead of dropping the middle of what it writes.
    pub stop_at_output_limit: bool,
}

impl Invocation {
    /// Runs `code` with default limits, no input, and an empty workspace.
    pub fn new(code: impl Into<String>) -> Invocation {
        Invocation {
            code: code.into(),
            filename: "<code>".into(),
            argv: vec![String::new()],
            env: BTreeMap::new(),
            stdin: None,
            globals: serde_json::Map::new(),
            limits: Limits::DEFAULT,
            workspace: None,
            workspace_quota: None,
            mounts: None,
            cancel: Cancel::new(),
            sink: None,
            stop_at_output_limit: false,
        }
    }
}

/// What a run did.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it ended.
    pub exit: Exit,
    /// What it wrote, whatever the way it ended.
    pub output: Output,
    /// What it used.
    pub usage: Usage,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub enum Exit {
    /// The code ran to its end. The value is that of its last expression, unless that is `None` or a statement.
    Completed(Option<Value>),
    /// An exception was not caught.
    Raised(PythonError),
    /// `sys.exit`, `os._exit` or the like, with the status a process would have.
    Exited(u8),
    /// The host stopped it.
    Stopped(StopReason),
    /// The guest broke: a trap, or a report that makes no sense. Nothing else is affected.
    Crashed(Crash),
}

/// A value as the guest renders it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// `repr(value)`, cut to the result limit.
    pub repr: String,
    /// Whether it was cut.
    pub repr_truncated: bool,
    /// The value as JSON, if it has such a form within the result limit.
    pub json: Option<serde_json::Value>,
    /// A richer form (a picture, HTML) if the value offers one.
    pub rich: Option<Rich>,
}

/// A rendering with a media type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rich {
    /// For example `image/png`.
    pub mime: String,
    /// Text, or base64 for binary media types.
    pub data: String,
}

/// An exception nobody caught.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PythonError {
    /// The exception's class name, for example `ZeroDivisionError`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The module of the class, `builtins` for Python's own.
    pub module: String,
    /// `str(exception)`.
    pub message: String,
    /// The traceback as CPython prints it, without the sandbox's own frames.
    pub traceback: String,
    /// The line of the given code it comes from.
    pub line: Option<u32>,
}

/// A broken guest.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Crash {
    /// What the engine said, for example `wasm trap: call stack exhausted`.
    pub message: String,
}

/// Captured output, bounded: beyond the limit the middle of a stream is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// What was written to stdout.
    pub stdout: CapturedStream,
    /// What was written to stderr.
    pub stderr: CapturedStream,
    /// What was kept of both, in the order it was written.
    pub order: Vec<(Stream, Range<usize>)>,
}

/// What is left of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CapturedStream {
    /// The bytes that were kept: the beginning and, if something was left out, the end.
    pub bytes: Vec<u8>,
    /// How many bytes were left out, and where they would be in `bytes`.
    pub omitted: u64,
    /// Where in `bytes` the omitted ones would be.
    pub gap: usize,
}

impl CapturedStream {
    /// Whether something was left out.
    pub fn truncated(&self) -> bool {
        self.omitted > 0
    }

    /// As text: what is not UTF-8 is replaced, what was left out is named.
    pub fn text(&self) -> String {
        let (head, tail) = self.bytes.split_at(self.gap.min(self.bytes.len()));
        let mut text = String::from_utf8_lossy(head).into_owned();
        if self.truncated() {
            text.push_str(&format!("\n[... {} bytes left out ...]\n", self.omitted));
        }
        text.push_str(&String::from_utf8_lossy(tail));
        text
    }
}

impl From<Captured> for Output {
    fn from(captured: Captured) -> Output {
        let stream = |s: crate::wasi::CapturedStream| CapturedStream {
            bytes: s.bytes,
            omitted: s.omitted,
            gap: s.gap,
        };
        Output {
            stdout: stream(captured.stdout),
            stderr: stream(captured.stderr),
            order: captured
                .chunks
                .into_iter()
                .map(|chunk| (chunk.stream, chunk.range))
                .collect(),
        }
    }
}

/// What a run used, as the host measured it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// From the call to the end of the guest's code.
    pub wall: Duration,
    /// Of it: making the instance, before the guest's first instruction.
    pub start: Duration,
    /// Metering units spent.
    pub fuel: u64,
    /// Largest size of linear memory in bytes; an image's own pages are shared and counted too.
    pub peak_memory: u64,
}

/// The guest's answer to a run, as it comes over the wire: one flat object, so that it is read once, into nothing but what is kept.
#[derive(Debug, Deserialize)]
pub(crate) struct Report {
    exit: Ended,
    #[serde(default)]
    has_value: bool,
    #[serde(default)]
    repr: String,
    #[serde(default)]
    repr_truncated: bool,
    #[serde(default)]
    has_json: bool,
    #[serde(default)]
    json: serde_json::Value,
    #[serde(default)]
    rich: Option<Rich>,
    /// Comes with [`Ended::Raised`].
    #[serde(default)]
    error: Option<PythonError>,
    /// The program's data had to be dropped to make room for this report.
    #[serde(default)]
    pub(crate) lost: bool,
    /// Comes with [`Ended::Exited`].
    #[serde(default)]
    code: Option<i64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Ended {
    Completed,
    Raised,
    Exited,
}

impl Report {
    /// What happened, or which part is missing.
    pub(crate) fn exit(self) -> Result<Exit, &'static str> {
        Ok(match self.exit {
            Ended::Completed => Exit::Completed(self.has_value.then_some(Value {
                repr: self.repr,
                repr_truncated: self.repr_truncated,
                json: self.has_json.then_some(self.json),
                rich: self.rich,
            })),
            Ended::Raised => Exit::Raised(self.error.ok_or("error")?),
            Ended::Exited => Exit::Exited((self.code.ok_or("code")? & 0xff) as u8),
        })
    }
}

/// The request for a run, as it goes over the wire.
#[derive(Serialize)]
pub(crate) struct RunRequest<'a> {
    pub(crate) op: &'static str,
    pub(crate) code: &'a str,
    pub(crate) filename: &'a str,
    pub(crate) argv: &'a [String],
    pub(crate) env: &'a BTreeMap<String, String>,
    pub(crate) stdin: Option<&'a str>,
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub(crate) globals: &'a serde_json::Map<String, serde_json::Value>,
    pub(crate) max_result_bytes: usize,
    /// A call of a session: the program finds the names the last one left.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) session: bool,
}

/// The request that turns a started interpreter into what an image is taken of.
#[derive(Serialize)]
pub(crate) struct PrepareRequest<'a> {
    pub(crate) op: &'static str,
    pub(crate) preload: &'a [String],
}

/// What was imported into an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    /// Modules that every run finds imported.
    pub imported: Vec<String>,
    /// Modules that were asked for and could not be imported; a run may still try.
    pub skipped: Vec<Skipped>,
    /// The interpreter's version.
    pub python: String,
}

/// A module that could not be imported into an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its name.
    pub module: String,
    /// Why.
    pub error: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_or_refused() {
        let read = |text: &str| serde_json::from_str::<Report>(text).map_err(drop)?.exit().map_err(drop);
        assert!(matches!(read(r#"{"exit":"completed"}"#), Ok(Exit::Completed(None))));
        let exited = read(r#"{"json":1,"exit":"exited","code":-1,"more":[{}]}"#);
        assert!(matches!(exited, Ok(Exit::Exited(255))));
        let bad = [
            r#"{}"#,
            r#"{"exit":"raised"}"#,
            r#"{"exit":"exited"}"#,
            r#"{"exit":"exited","code":1e400}"#,
            r#"{"exit":"gone"}"#,
            r#"{"exit":"completed","exit":"completed"}"#,
            r#"{"exit":"completed"} "#,
            "[]",
        ];
        let taken: Vec<&str> = bad.into_iter().filter(|text| read(text).is_ok()).collect();
        assert_eq!(taken, [r#"{"exit":"completed"} "#], "only white space may follow");
    }
}
