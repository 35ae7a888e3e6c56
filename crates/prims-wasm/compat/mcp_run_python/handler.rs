//! The protocol: one tool.

#![expect(
    deprecated,
    reason = "log messages are deprecated in the newest revision, and what its clients show while code runs"
)]

use super::SERVER;
use super::program::{self, Program};
use super::reply::{Reply, ReturnMode, Status};
use crate::compat::Workspaces;
use crate::server::bridge::{self, Incident, Step, telling};
use crate::server::connections::ConnectionId;
use crate::server::handler::Origin;
use crate::server::live::{Live, described};
use crate::server::sessions::{self, SessionRun, Who};
use crate::server::tools::run_code::{Blame, blame, facts};
use crate::server::{AppState, Service};
use prims_interpreter::RunRequest;
use prims_sandbox::{Cancel, Invocation, Progress};
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
/// Bytes of code, as everywhere.
const MAX_CODE: usize = 1 << 20;

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

    async fn run(
        &self,
        arguments: Arguments,
        origin: Origin,
        live: &Live,
        stop: &CancellationToken,
    ) -> Result<Reply, ErrorData> {
        let session = match &origin.connection {
            Some(connection) => match self.session(&origin.who, connection, stop).await {
                Ok(session) => Some(session),
                Err(error) => return refused(error),
            },
            None => None,
        };
        // One after the other, as in one interpreter.
        let _turn = match &session {
            Some(session) => match self.state.0.turns.take(session, stop).await {
                Ok(turn) => Some(turn),
                Err(error) => return unserved(error),
            },
            None => None,
        };
        let cancel = Cancel::new();
        let (this, invoked, sink, say) = (self.clone(), cancel.clone(), live.sink(), live.teller_of_lines());
        let work = move |queue: Duration| {
            let tell = say;
            telling(
                move |step| {
                    let loads = !matches!(step, Step::Image(Progress::Ready));
                    if let Some(doing) = described(step).filter(|_| loads) {
                        tell(LoggingLevel::Debug, doing);
                    }
                },
                || {
                    let shared = &this.state.0;
                    let interpreter = shared.interpreter.get()?;
                    let program = Program {
                        code: &arguments.code,
                        filename: "main.py",
                        variables: arguments.variables,
                        mode: this.return_mode,
                        limits: shared.limits,
                    };
                    let request = RunRequest {
                        requirements: shared.requirements.clone(),
                        lock: None,
                        invocation: Invocation {
                            cancel: invoked,
                            sink,
                            ..program.invocation(&program::driver(interpreter)?)
                        },
                    };
                    let run = shared
                        .sessions
                        .run(&origin.who, session.as_deref(), interpreter, request, |_| Ok(()));
                    Ok::<_, crate::Error>((queue, run))
                },
            )
        };
        match self.state.0.bridge.run(stop, cancel, work).await {
            Ok(Ok((queue, Ok(run)))) => self.ended(run, queue, live),
            Ok(Ok((_, Err(error)))) => refused(error),
            Ok(Err(error)) => Err(Incident::of("a run failed", &error).into()),
            Err(error) => unserved(error),
        }
    }

    fn ended(&self, run: SessionRun, queue: Duration, live: &Live) -> Result<Reply, ErrorData> {
        match run.result {
            Ok(report) => {
                let (reply, mut facts) = (program::reply(&report.outcome), facts(&report, queue));
                // The driver in the guest catches what the code raises.
                if facts.status == "success" && reply.status != Status::Success {
                    facts.status = "error";
                }
                self.state.0.observer.finished(&facts);
                Ok(reply)
            }
            Err(error) => {
                let hint = error.hint().map(|hint| format!("\n{hint}")).unwrap_or_default();
                match blame(&error) {
                    Blame::Packages => {
                        live.teller_of_lines()(LoggingLevel::Error, error.to_string());
                        Ok(failed(Status::InstallError, format!("{error}{hint}")))
                    }
                    Blame::Request => Ok(failed(Status::RunError, format!("ValueError: {error}{hint}"))),
                    Blame::Host => Err(Incident::of("a run failed", &error).into()),
                }
            }
        }
    }

    async fn session(
        &self,
        who: &Who,
        connection: &ConnectionId,
        stop: &CancellationToken,
    ) -> Result<String, sessions::Error> {
        let (this, who, connection) = (self.clone(), who.clone(), connection.clone());
        let made = move || this.workspaces.of(&this.state, &who, &connection);
        match self.state.0.bridge.files(stop, made).await {
            Ok(made) => made,
            Err(error) => Err(std::io::Error::other(error.to_string()).into()),
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

/// A call that did not come to its turn.
fn unserved(error: bridge::Error) -> Result<Reply, ErrorData> {
    match error {
        bridge::Error::Fault(incident) => Err(incident.into()),
        error => Ok(failed(Status::RunError, format!("RuntimeError: {error}"))),
    }
}

/// A call whose files cannot be had.
fn refused(error: sessions::Error) -> Result<Reply, ErrorData> {
    match error {
        sessions::Error::Interpreter(prims_interpreter::Error::Session(error)) => {
            Ok(failed(Status::RunError, format!("RuntimeError: {error}")))
        }
        error => Err(Incident::of("a run failed", &error).into()),
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
        let result = self.negotiate_initialize(&request)?;
        let mut peer = request;
        peer.protocol_version = result.protocol_version.clone();
        context.peer.set_peer_info(peer);
        Ok(result)
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
        let arguments = arguments(request.arguments)?;
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
        let mode = self.return_mode;
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
            let reply = {
                let run = this.run(arguments, origin, &live, &stop);
                tokio::pin!(run);
                tokio::select! {
                    reply = &mut run => reply,
                    () = state.0.shutdown.cancelled() => {
                        stop.cancel();
                        run.await
                    }
                }
            };
            live.finish(&stop).await;
            reply
        });
        let reply = match task.await {
            Ok(reply) => reply?,
            Err(panic) => return Err(Incident::log(&format_args!("a call panicked: {panic}")).into()),
        };
        let mut result = CallToolResult::success(vec![ContentBlock::text(reply.text(mode))]);
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
