//! The protocol: one tool.

#![expect(
    deprecated,
    reason = "log messages are deprecated in the newest revision, and what its clients show while code runs"
)]

use super::SERVER;
use super::program::{self, Program};
use super::reply::{Reply, ReturnMode, Status};
use crate::compat::Workspaces;
use crate::server::bridge::{Incident, Step, telling};
use crate::server::connections::ConnectionId;
use crate::server::handler::{Origin, greeted};
use crate::server::live::{Live, described};
use crate::server::sessions::{SessionRun, Who};
use crate::server::tools::Problem;
use crate::server::tools::run_code::{Blame, MAX_CODE, blame, facts};
use crate::server::{AppState, RunFacts, Service};
use prims_interpreter::RunRequest;
use prims_sandbox::{Cancel, Invocation, OutputSink, Progress};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, CustomRequest, CustomResult, ErrorCode,
    Implementation, InitializeRequestParams, InitializeResult, JsonObject, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, LoggingLevel, PaginatedRequestParams,
    ServerCapabilities, ServerConfig, SetLevelRequestParams, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const TOOL: &str = "run_python_code";
const DESCRIPTION: &str = "Tool to execute Python code and return stdout, stderr, and return value.\n\n\
The code may be async, and the value on the last line will be returned as the return value.\n\n\
The code will be executed with Python 3.13.\n";
const INSTRUCTIONS: &str = "Call the \"run_python_code\" tool with the Python code to run.";

/// What is kept between requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// A log level and files for each connection.
    Stateful,
    /// Nothing.
    Stateless,
}

#[derive(Clone)]
pub(super) struct Handler {
    state: AppState,
    mode: Mode,
    return_mode: ReturnMode,
    stdio: bool,
    workspaces: Arc<Workspaces>,
}

/// A valid call.
struct Arguments {
    code: String,
    variables: Map<String, Value>,
}

impl Handler {
    pub(super) fn new(state: AppState, mode: Mode, return_mode: ReturnMode) -> Handler {
        Handler {
            state,
            mode,
            return_mode,
            stdio: false,
            workspaces: Arc::default(),
        }
    }

    /// Forgets a connection with its files. May block.
    pub(super) fn end(&self, who: &Who, connection: &ConnectionId) {
        self.workspaces.close(&self.state, who, connection);
    }

    fn origin(&self, context: &RequestContext<RoleServer>) -> Origin {
        let origin = Origin::of(&context.extensions, self.stdio);
        match self.mode {
            Mode::Stateful => origin,
            Mode::Stateless => Origin {
                connection: None,
                ..origin
            },
        }
    }

    /// What a call says, counted whatever became of it.
    async fn run(
        &self,
        arguments: Arguments,
        origin: Origin,
        live: &Live,
        stop: &CancellationToken,
    ) -> Result<String, ErrorData> {
        let (said, facts) = match self.carried_out(arguments, origin, live, stop).await {
            Ok((text, facts)) => (Ok(text), facts),
            Err(NotRun { counted, queue, said }) => {
                let said = said.map(|reply| reply.text(self.return_mode));
                (said, RunFacts::nothing_ran(counted, queue))
            }
        };
        self.state.0.observer.finished(&facts);
        Ok(said?)
    }

    async fn carried_out(
        &self,
        arguments: Arguments,
        origin: Origin,
        live: &Live,
        stop: &CancellationToken,
    ) -> Result<(String, RunFacts), NotRun> {
        let session = match &origin.connection {
            Some(connection) => Some(self.session(&origin.who, connection, stop).await?),
            None => None,
        };
        // One after the other, as in one interpreter.
        let _turn = match &session {
            Some(session) => Some(self.state.0.turns.take(session, stop).await.map_err(Problem::from)?),
            None => None,
        };
        let cancel = Cancel::new();
        let (this, invoked, sink) = (self.clone(), cancel.clone(), live.sink());
        let (say, say_why) = (live.teller_of_lines(), live.teller_of_lines());
        let work = move |queue: Duration| {
            telling(
                move |step| {
                    let loads = !matches!(step, Step::Image(Progress::Ready));
                    if let Some(doing) = described(step).filter(|_| loads) {
                        say(LoggingLevel::Debug, doing);
                    }
                },
                || {
                    let run = this.ran(arguments, &origin.who, session.as_deref(), invoked, sink)?;
                    // What the guest wrote is read and written again here, where it holds up nobody.
                    let (reply, facts) = ended(run, queue, say_why)?;
                    Ok((reply.text(this.return_mode), facts))
                },
            )
            .map_err(|not_run: NotRun| NotRun { queue, ..not_run })
        };
        self.state
            .0
            .bridge
            .run(stop, cancel, work)
            .await
            .map_err(Problem::from)?
    }

    /// Runs the code. Blocks.
    fn ran(
        &self,
        arguments: Arguments,
        who: &Who,
        session: Option<&str>,
        cancel: Cancel,
        sink: Option<OutputSink>,
    ) -> Result<SessionRun, NotRun> {
        let shared = &self.state.0;
        let fault = |error: crate::Error| NotRun::from(Problem::Fault(Incident::of("a run failed", &error)));
        let interpreter = shared.interpreter.get().map_err(fault)?;
        let program = Program {
            code: &arguments.code,
            filename: "main.py",
            variables: arguments.variables,
            mode: self.return_mode,
            limits: shared.limits,
        };
        let driver = program::driver(interpreter).map_err(fault)?;
        let request = RunRequest {
            requirements: shared.requirements.clone(),
            lock: None,
            invocation: Invocation {
                cancel,
                sink,
                ..program.invocation(&driver)
            },
        };
        let run = shared.sessions.run(who, session, interpreter, request, |_| Ok(()));
        Ok(run.map_err(Problem::from)?)
    }

    async fn session(&self, who: &Who, connection: &ConnectionId, stop: &CancellationToken) -> Result<String, Problem> {
        let (this, who, connection) = (self.clone(), who.clone(), connection.clone());
        let made = move || this.workspaces.of(&this.state, &who, &connection);
        Ok(self.state.0.bridge.files(stop, made).await??)
    }
}

/// A call whose code did not run, or whose end cannot be told.
struct NotRun {
    /// What it is counted as.
    counted: &'static str,
    queue: Duration,
    said: Result<Reply, Incident>,
}

impl From<Problem> for NotRun {
    fn from(problem: Problem) -> NotRun {
        let counted = problem.counted();
        let said = match problem {
            Problem::Failure(failure) => Ok(failed(Status::RunError, format!("RuntimeError: {}", failure.message))),
            Problem::Fault(incident) => Err(incident),
        };
        NotRun {
            counted,
            queue: Duration::ZERO,
            said,
        }
    }
}

/// What came of a run.
fn ended(run: SessionRun, queue: Duration, say: impl Fn(LoggingLevel, String)) -> Result<(Reply, RunFacts), NotRun> {
    match run.result {
        Ok(report) => {
            let (reply, mut facts) = (program::reply(&report.outcome), facts(&report, queue));
            // The driver in the guest catches what the code raises.
            if facts.status == "success" && reply.status != Status::Success {
                facts.status = "error";
            }
            Ok((reply, facts))
        }
        Err(error) => {
            let hint = error.hint().map(|hint| format!("\n{hint}")).unwrap_or_default();
            let blame = blame(&error);
            let said = match blame {
                Blame::Packages => {
                    say(LoggingLevel::Error, error.to_string());
                    Ok(failed(Status::InstallError, format!("{error}{hint}")))
                }
                Blame::Request => Ok(failed(Status::RunError, format!("ValueError: {error}{hint}"))),
                Blame::Host => Err(Incident::of("a run failed", &error)),
            };
            Err(NotRun {
                counted: blame.counted(),
                queue,
                said,
            })
        }
    }
}

fn failed(status: Status, text: String) -> Reply {
    Reply {
        status,
        output: vec![],
        text: Some(text + "\n"),
    }
}

/// What zod, which its server uses, says about arguments: unknown ones are ignored, wrong ones are listed.
fn arguments(given: Option<JsonObject>) -> Result<Arguments, ErrorData> {
    let Some(mut given) = given else {
        return Err(invalid(&[issue("object", None, &[])]));
    };
    let (code, variables) = (given.remove("python_code"), given.remove("global_variables"));
    let mut issues = vec![];
    let code = match code {
        Some(Value::String(code)) => code,
        other => {
            issues.push(issue("string", other.as_ref(), &["python_code"]));
            String::new()
        }
    };
    let variables = match variables {
        None => Map::new(),
        Some(Value::Object(variables)) => variables,
        other => {
            issues.push(issue("object", other.as_ref(), &["global_variables"]));
            Map::new()
        }
    };
    if !issues.is_empty() {
        return Err(invalid(&issues));
    }
    if code.len() > MAX_CODE {
        let message = format!("`python_code` has {} bytes, expected at most {MAX_CODE}", code.len());
        return Err(ErrorData::invalid_params(message, None));
    }
    Ok(Arguments { code, variables })
}

fn issue(expected: &str, found: Option<&Value>, path: &[&str]) -> Value {
    let received = match found {
        None => "undefined",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "boolean",
        Some(Value::Number(_)) => "number",
        Some(Value::String(_)) => "string",
        Some(Value::Array(_)) => "array",
        Some(Value::Object(_)) => "object",
    };
    let message = match found {
        None => "Required".to_owned(),
        Some(_) => format!("Expected {expected}, received {received}"),
    };
    json!({ "code": "invalid_type", "expected": expected, "received": received, "path": path, "message": message })
}

fn invalid(issues: &[Value]) -> ErrorData {
    let issues = serde_json::to_string_pretty(issues).unwrap_or_default();
    let message = format!("MCP error -32602: Invalid arguments for tool {TOOL}: {issues}");
    ErrorData::invalid_params(message, None)
}

fn tool() -> Tool {
    let schema = json!({
        "type": "object",
        "properties": {
            "python_code": { "type": "string", "description": "Python code to run" },
            "global_variables": {
                "type": "object",
                "additionalProperties": {},
                "default": {},
                "description": "Map of global variables in context when the code is executed",
            },
        },
        "required": ["python_code"],
        "additionalProperties": false,
        "$schema": "http://json-schema.org/draft-07/schema#",
    });
    let schema = schema.as_object().cloned().unwrap_or_default();
    Tool::new(TOOL, DESCRIPTION, Arc::new(schema)).with_title("Run Python code")
}

fn no_such_method() -> ErrorData {
    ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "Method not found", None)
}

impl Service for Handler {
    fn state(&self) -> &AppState {
        &self.state
    }

    fn on_stdio(self) -> Handler {
        Handler { stdio: true, ..self }
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let (name, version) = SERVER;
        let capabilities = ServerCapabilities::builder()
            .enable_logging()
            .enable_tools()
            .enable_tool_list_changed()
            .build();
        InitializeResult::new(capabilities)
            .with_server_info(Implementation::new(name, version))
            .with_instructions(INSTRUCTIONS)
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        greeted(self, request, &context)
    }

    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        if let Some(connection) = self.origin(&context).connection {
            self.state.0.connections.set_level(&connection, request.level);
        }
        Ok(())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(vec![tool()]))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        (name == TOOL).then(tool)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if request.name != TOOL {
            let name: String = request.name.chars().take(80).collect();
            let message = format!("MCP error -32602: Tool {name} not found");
            return Err(ErrorData::invalid_params(message, None));
        }
        let arguments = arguments(request.arguments).inspect_err(|_| self.state.count_refused())?;
        let origin = self.origin(&context);
        let level = match context.meta.protocol_version() {
            Some(_) => context.meta.log_level(),
            None => origin
                .connection
                .as_ref()
                .and_then(|connection| self.state.0.connections.level(connection)),
        };
        let live = Live::lines(&context.peer, level);
        let stop = context.ct.child_token();
        let this = self.clone();
        // A task of its own, because a panic in it is then an answer and not a client that waits for ever.
        let task = tokio::spawn(async move {
            let state = this.state.clone();
            let _counted = state.0.bridge.enter();
            let _known = origin
                .connection
                .as_ref()
                .map(|connection| state.0.connections.running(connection, context.id, stop.clone()));
            let origin = Origin {
                who: origin.who.clone(),
                connection: origin.connection.clone(),
                session: None,
            };
            let said = {
                let run = this.run(arguments, origin, &live, &stop);
                tokio::pin!(run);
                tokio::select! {
                    said = &mut run => said,
                    () = state.0.shutdown.cancelled() => {
                        stop.cancel();
                        run.await
                    }
                }
            };
            live.finish(&stop).await;
            said
        });
        let text = match task.await {
            Ok(said) => said?,
            Err(panic) => return Err(Incident::log(&format_args!("a call panicked: {panic}")).into()),
        };
        let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
        result.is_error = None;
        Ok(result.into())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Err(no_such_method())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Err(no_such_method())
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Err(no_such_method())
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        // A method that is served comes here if its parameters do not read as its own.
        match request.method.as_str() {
            "initialize" | "logging/setLevel" | "tools/call" => {
                let message = "the parameters are not as the protocol defines them";
                Err(ErrorData::invalid_params(message, None))
            }
            _ => Err(no_such_method()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_arguments_are_told_as_zod_tells_them() {
        let told = |given: Value| {
            let given = given.as_object().cloned();
            arguments(given).err().map(|error| error.message.into_owned())
        };
        assert_eq!(told(json!({ "python_code": "1", "unknown": 1 })), None);
        let message = "MCP error -32602: Invalid arguments for tool run_python_code: [\n  {\n    \"code\": \"invalid_type\",\n    \"expected\": \"string\",\n    \
                       \"received\": \"undefined\",\n    \"path\": [\n      \"python_code\"\n    ],\n    \"message\": \"Required\"\n  }\n]";
        assert_eq!(told(json!({})).as_deref(), Some(message));
        let both = told(json!({ "python_code": null, "global_variables": [] })).unwrap();
        assert!(both.contains("Expected string, received null") && both.contains("Expected object, received array"));
        assert!(told(Value::Null).unwrap().contains("\"path\": []"));
        assert!(told(json!({ "python_code": "x".repeat(MAX_CODE + 1) })).is_some());
    }
}
