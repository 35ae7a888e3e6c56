//! Custom tools: functions that Python itself looks at and calls, in the guest.

use super::model::{
    ExecuteCustomToolErrorResponse, ExecuteCustomToolRequest, ExecuteCustomToolResponse, ParseCustomToolErrorResponse,
    ParseCustomToolRequest, ParseCustomToolResponse,
};
use super::{Problem, Shared, run};
use crate::server::{Incident, facts};
use prims_interpreter::{Interpreter, Prepared, RunReport, Wanted};
use prims_sandbox::{Cancel, Exit, Invocation, Limits};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::{Duration, Instant};

/// Looks at a tool. The module is part of the guest and imported by nothing else.
const PARSE: &str = "from prims_runtime import custom_tools\ncustom_tools.parse(tool_source_code)";
/// Calls one.
const CALL: &str = "from prims_runtime import custom_tools\ncustom_tools.call(tool_source_code, tool_input_json)";
/// What looking at a tool may take.
const PARSE_TIME: Duration = Duration::from_secs(10);
/// What the guest may say about a tool it cannot parse.
const UNPARSED: &str = "The tool source code cannot be parsed";

/// What the guest says about a tool.
#[derive(Deserialize)]
#[serde(untagged)]
enum Parsed {
    Tool(ParseCustomToolResponse),
    Errors { error_messages: Vec<String> },
}

/// A tool, or why it is none.
pub(super) type ParsedTool = Result<ParseCustomToolResponse, ParseCustomToolErrorResponse>;
/// What a tool returned, or how it failed.
pub(super) type CalledTool = Result<ExecuteCustomToolResponse, ExecuteCustomToolErrorResponse>;

pub(super) fn parse(
    shared: &Shared,
    interpreter: &Interpreter,
    request: ParseCustomToolRequest,
    cancel: Cancel,
    queue: Duration,
) -> Result<ParsedTool, Problem> {
    let began = Instant::now();
    // What the tool imports is not needed to look at it.
    let prepared = interpreter.prepare(&[]).map_err(Problem::from)?;
    let invocation = Invocation {
        globals: globals([("tool_source_code", request.tool_source_code)]),
        limits: Limits {
            wall_clock: PARSE_TIME.min(shared.state.0.limits.wall_clock),
            ..shared.state.0.limits
        },
        cancel,
        ..Invocation::new(PARSE)
    };
    let report = run_prepared(shared, &prepared, &invocation, began.elapsed(), queue)?;
    let unparsed = |why: &str| {
        Err(ParseCustomToolErrorResponse {
            error_messages: vec![format!("{UNPARSED}: {why}")],
        })
    };
    Ok(match &report.outcome.exit {
        Exit::Completed(Some(value)) => match value.json.clone().map(serde_json::from_value) {
            Some(Ok(Parsed::Tool(tool))) => Ok(tool),
            Some(Ok(Parsed::Errors { error_messages })) => Err(ParseCustomToolErrorResponse { error_messages }),
            _ => unparsed("it is too large"),
        },
        Exit::Raised(error) => unparsed(&format!("{}: {}", error.kind, error.message)),
        _ => unparsed(run::told(&report, "").stderr.trim()),
    })
}

pub(super) fn call(
    shared: &Shared,
    interpreter: &Interpreter,
    request: ExecuteCustomToolRequest,
    cancel: Cancel,
    queue: Duration,
) -> Result<CalledTool, Problem> {
    let began = Instant::now();
    let failed = |stderr: String| Ok(Err(ExecuteCustomToolErrorResponse { stderr }));
    let prepared = interpreter.prepare_for(&Wanted {
        requirements: &shared.state.0.requirements,
        code: &request.tool_source_code,
        ..Wanted::default()
    });
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return failed(run::not_run(&shared.state.0, error, queue)?.stderr),
    };
    let invocation = Invocation {
        globals: globals([
            ("tool_source_code", request.tool_source_code),
            ("tool_input_json", request.tool_input_json),
        ]),
        env: request.env,
        limits: run::limits(&shared.state.0, request.timeout),
        cancel,
        ..Invocation::new(CALL)
    };
    let report = run_prepared(shared, &prepared, &invocation, began.elapsed(), queue)?;
    match &report.outcome.exit {
        Exit::Completed(Some(value)) => match &value.json {
            Some(Value::String(tool_output_json)) => Ok(Ok(ExecuteCustomToolResponse {
                tool_output_json: tool_output_json.clone(),
            })),
            _ => failed("the output of the tool is too large".into()),
        },
        Exit::Exited(_) => failed(format!(
            "{}the tool ended the interpreter instead of returning a value\n",
            report.outcome.output.stderr.text()
        )),
        _ => failed(run::told(&report, "").stderr),
    }
}

fn globals<const N: usize>(texts: [(&str, String); N]) -> Map<String, Value> {
    texts
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text.into()))
        .collect()
}

fn run_prepared(
    shared: &Shared,
    prepared: &Prepared,
    invocation: &Invocation,
    prepare: Duration,
    queue: Duration,
) -> Result<RunReport, Problem> {
    let outcome = prepared.image.run(invocation);
    let outcome = outcome.map_err(|error| Problem::Fault(Incident::log(&error)))?;
    let report = RunReport {
        outcome,
        packages: prepared.packages.clone(),
        notes: prepared.notes.clone(),
        prepare,
    };
    shared.state.0.observer.finished(&facts(&report, queue));
    Ok(report)
}
