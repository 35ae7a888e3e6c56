//! Its `example` mode: a small numpy program, whose result shows what a client would see.

use super::arguments::Arguments;
use super::reply::{ReturnMode, Status};
use super::{SERVER, program};
use crate::commands::Error;
use crate::settings::Settings;
use crate::{console, setup};
use prims_interpreter::RunRequest;
use prims_sandbox::{Invocation, OutputSink, Stream};
use std::sync::{Arc, Mutex, PoisonError};

const PROGRAM: &str = "\nimport numpy\na = numpy.array([1, 2, 3])\nprint('numpy array:', a)\na\n";

pub(super) fn example(arguments: &Arguments, settings: &Settings) -> Result<u8, Error> {
    let (_, version) = SERVER;
    console::note(&format!(
        "Running example script for MCP Run Python version {version}..."
    ));
    let interpreter = setup::for_command(arguments.cache_dir.as_deref(), settings, &arguments.files)?;
    let wanted = program::Program {
        code: PROGRAM,
        filename: "example.py",
        variables: serde_json::Map::new(),
        mode: ReturnMode::Xml,
        limits: settings.limits(),
    };
    let driver = program::driver(&interpreter)?;
    let pending: Mutex<[String; 2]> = Mutex::default();
    let lines: OutputSink = Arc::new(move |stream, bytes| {
        let (at, level) = match stream {
            Stream::Stdout => (0, "info"),
            Stream::Stderr => (1, "warning"),
        };
        let mut pending = pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending[at].push_str(&String::from_utf8_lossy(bytes));
        while let Some((line, rest)) = pending[at].split_once('\n') {
            console::note(&format!("{level}: {line}"));
            pending[at] = rest.to_owned();
        }
    });
    let report = interpreter.run(&RunRequest {
        requirements: settings.packages.deps.clone(),
        lock: None,
        invocation: Invocation {
            sink: Some(lines),
            ..wanted.invocation(&driver)
        },
    })?;
    let reply = program::reply(&report.outcome);
    console::out(&format!("Tool return value:\n{}\n", reply.text(ReturnMode::Xml)));
    Ok(u8::from(reply.status != Status::Success))
}
