//! From code to what came of it.
//!
//! The rules for values need the objects themselves, so a part of this runs in the guest: `driver.py`, which runs the code and
//! answers with a status and a text. It is the guest's claim, like everything a guest says.

use super::reply::{Reply, ReturnMode, Status};
use crate::commands::Error;
use prims_interpreter::{Interpreter, RunRequest};
use prims_sandbox::{Exit, Invocation, Limits, Outcome, Output, StopReason, Stream};
use serde_json::{Map, Value, json};
use std::sync::OnceLock;

const DRIVER: &str = include_str!("driver.py");
/// Compiling the driver takes longer than most programs run, so that it is done once.
const COMPILE: &str =
    "import base64, marshal\nbase64.b64encode(marshal.dumps(compile(source, '<driver>', 'exec', 0, True))).decode()";
const RUN: &str =
    "import base64, marshal\nnames = {}\nexec(marshal.loads(base64.b64decode(driver)), names)\nnames['run'](request)";

/// What is to be run.
pub(super) struct Program<'a> {
    pub(super) code: &'a str,
    pub(super) filename: &'static str,
    pub(super) variables: Map<String, Value>,
    pub(super) mode: ReturnMode,
    pub(super) limits: Limits,
}

impl Program<'_> {
    /// A run of it.
    pub(super) fn invocation(self, driver: &str) -> Invocation {
        // The guest gives each half of a result its half of the bytes.
        let most = (self.limits.result / 2).saturating_sub(1024);
        let request = json!({
            "code": self.code,
            "filename": self.filename,
            "variables": self.variables,
            "json": self.mode == ReturnMode::Json,
            "most": most,
        });
        let globals = [("driver".to_owned(), json!(driver)), ("request".to_owned(), request)];
        Invocation {
            globals: globals.into_iter().collect(),
            limits: self.limits,
            ..Invocation::new(RUN)
        }
    }
}

/// The driver, compiled for this guest. Blocks for as long as the first run takes.
///
/// # Errors
/// No guest can be run.
pub(super) fn driver(interpreter: &Interpreter) -> Result<String, Error> {
    static COMPILED: OnceLock<String> = OnceLock::new();
    if let Some(compiled) = COMPILED.get() {
        return Ok(compiled.clone());
    }
    let globals = [("source".to_owned(), json!(DRIVER))];
    let report = interpreter.run(&RunRequest {
        requirements: vec![],
        lock: None,
        invocation: Invocation {
            globals: globals.into_iter().collect(),
            ..Invocation::new(COMPILE)
        },
    })?;
    let Exit::Completed(Some(value)) = &report.outcome.exit else {
        return Err(Error::Usage(format!(
            "the driver cannot be compiled: {:?}",
            report.outcome.exit
        )));
    };
    let compiled = value.json.as_ref().and_then(Value::as_str).unwrap_or_default();
    Ok(COMPILED.get_or_init(|| compiled.to_owned()).clone())
}

/// What a run says to a client.
pub(super) fn reply(outcome: &Outcome) -> Reply {
    let (status, text) = ended(outcome);
    Reply {
        status,
        output: lines(&outcome.output),
        text,
    }
}

fn ended(outcome: &Outcome) -> (Status, Option<String>) {
    let seconds = outcome.usage.wall.as_secs_f64();
    let said = match &outcome.exit {
        Exit::Completed(Some(value)) => {
            let said = value.json.as_ref().and_then(Value::as_array).map(Vec::as_slice);
            match said {
                Some([Value::String(status), Value::String(text)]) if status == "success" => {
                    return (Status::Success, Some(text.clone()));
                }
                Some([Value::String(status), Value::Null]) if status == "success" => return (Status::Success, None),
                Some([_, Value::String(text)]) => return (Status::RunError, Some(text.clone())),
                // Code that meddles with the driver speaks for itself only.
                _ => "RuntimeError: the code left no result".to_owned(),
            }
        }
        Exit::Completed(None) => "RuntimeError: the code left no result".to_owned(),
        Exit::Raised(error) => error.traceback.trim_end_matches('\n').to_owned(),
        Exit::Exited(code) => format!("SystemExit: {code}"),
        Exit::Stopped(StopReason::WallClock) => format!("TimeoutError: stopped after {seconds:.1} s, the time limit"),
        Exit::Stopped(StopReason::Fuel) => "TimeoutError: stopped, the instruction budget is used up".to_owned(),
        Exit::Stopped(StopReason::Memory) => "MemoryError: stopped, memory ran out".to_owned(),
        Exit::Stopped(StopReason::Output) => "OSError: stopped, more was written than may be".to_owned(),
        Exit::Stopped(StopReason::Cancelled) => "KeyboardInterrupt: cancelled".to_owned(),
        Exit::Crashed(crash) => format!("SystemError: the interpreter crashed: {}", crash.message),
    };
    (Status::RunError, Some(said + "\n"))
}

/// Both streams as lines, in the order in which they were ended. What was left out is named where it was.
///
/// Bytes that are not UTF-8 are replaced, zero bytes left out.
pub fn lines(output: &Output) -> Vec<String> {
    let mut lines = vec![];
    let mut pending = [vec![], vec![]];
    let mut named = [false, false];
    for (stream, range) in &output.order {
        let (at, from) = match stream {
            Stream::Stdout => (0, &output.stdout),
            Stream::Stderr => (1, &output.stderr),
        };
        let (mut start, end) = (range.start, range.end.min(from.bytes.len()));
        if from.truncated() && !named[at] && end > from.gap {
            let until = from.gap.clamp(start, end);
            cut(&from.bytes[start..until], &mut pending[at], &mut lines);
            end_line(&mut pending[at], &mut lines);
            lines.push(format!("[... {} bytes left out ...]", from.omitted));
            (start, named[at]) = (until, true);
        }
        cut(
            from.bytes.get(start..end).unwrap_or_default(),
            &mut pending[at],
            &mut lines,
        );
    }
    for (at, from) in [&output.stdout, &output.stderr].into_iter().enumerate() {
        end_line(&mut pending[at], &mut lines);
        if from.truncated() && !named[at] {
            lines.push(format!("[... {} bytes left out ...]", from.omitted));
        }
    }
    lines
}

fn cut(bytes: &[u8], pending: &mut Vec<u8>, lines: &mut Vec<String>) {
    let mut pieces = bytes.split(|byte| *byte == b'\n').peekable();
    while let Some(piece) = pieces.next() {
        // A zero byte is not part of a text, as terminals have it.
        pending.extend(piece.iter().filter(|byte| **byte != 0));
        if pieces.peek().is_some() {
            lines.push(String::from_utf8_lossy(pending).into_owned());
            pending.clear();
        }
    }
}

/// A line that the code did not end.
fn end_line(pending: &mut Vec<u8>, lines: &mut Vec<String>) {
    if !pending.is_empty() {
        lines.push(String::from_utf8_lossy(pending).into_owned());
        pending.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prims_sandbox::CapturedStream;

    #[test]
    fn streams_are_merged_by_line() {
        let stream = |text: &str, omitted, gap| CapturedStream {
            bytes: text.into(),
            omitted,
            gap,
        };
        let output = Output {
            stdout: stream("a\nb\0c\n\nend", 0, 0),
            stderr: stream("warn\nhe|ad", 7, 7),
            order: vec![
                (Stream::Stdout, 0..3),
                (Stream::Stderr, 0..6),
                (Stream::Stdout, 3..10),
                (Stream::Stderr, 6..10),
            ],
        };
        let expected = ["a", "warn", "bc", "", "he", "[... 7 bytes left out ...]", "|ad", "end"];
        let mut merged = lines(&output);
        merged.sort_unstable();
        let mut sorted = expected.map(str::to_owned);
        sorted.sort_unstable();
        assert_eq!(merged, sorted);
        assert_eq!(lines(&output)[..4], ["a", "warn", "bc", ""]);
    }
}
