//! Its `example` mode: a small numpy program, whose result shows what a client would see.

use super::arguments::Arguments;
use super::reply::{ReturnMode, Status};
use super::{SERVER, program};
use crate::commands::Error;
use crate::settings::Settings;
use crate::{console, setup};
use prims_interpreter::RunRequest;
use prims_sandbox::{Invocation, Stream};
use std::sync::Arc;

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
    let lines: prims_sandbox::OutputSink = Arc::new(|stream, bytes| {
        let level = if stream == Stream::Stdout { "info" } else { "warning" };
        for line in String::from_utf8_lossy(bytes).lines() {
            console::note(&format!("{level}: {line}"));
        }
    });
    let report = interpreter.run(&RunRequest {
        requirements: settings.packages.deps.clone(),
        lock: setup::lock(&arguments.files)?,
        invocation: Invocation {
            sink: Some(lines),
            ..wanted.invocation(&driver)
        },
    })?;
    let reply = program::reply(&report.outcome);
    console::out(&format!("Tool return value:\n{}\n", reply.text(ReturnMode::Xml)));
    Ok(u8::from(reply.status != Status::Success))
}
