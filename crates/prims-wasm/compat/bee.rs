//! The tool of python-interpreter-mcp, without the service that it needs behind it.

use crate::auth::Caller;
use crate::rest::{CodeInterpreter, ExecuteRequest, ExecuteResponse, Problem, is_bounded};
use crate::server::handler::greeted;
use crate::server::{AppState, MAX_CODE, Service};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, InitializeRequestParams,
    InitializeResult, JsonObject, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};
use std::sync::Arc;

const NAME: &str = "execute_python_code";
const DESCRIPTION: &str = "Execute Python code with a Python interpreter given a source code string.";

/// The MCP service with that one tool. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Bee {
    interpreter: CodeInterpreter,
    tool: Arc<Tool>,
}

impl Bee {
    pub(crate) fn new(interpreter: CodeInterpreter) -> Bee {
        let input = json!({
            "type": "object",
            "properties": {"source_code": {"title": "Source Code", "type": "string"}},
            "required": ["source_code"],
        });
        let output = json!({"type": "object", "additionalProperties": true});
        let tool = Tool::new(NAME, DESCRIPTION, object(input)).with_raw_output_schema(Arc::new(object(output)));
        Bee {
            interpreter,
            tool: Arc::new(tool),
        }
    }
}

fn object(value: Value) -> JsonObject {
    match value {
        Value::Object(object) => object,
        _ => JsonObject::new(),
    }
}

impl Service for Bee {
    fn state(&self) -> &AppState {
        self.interpreter.state()
    }

    fn on_stdio(self) -> Bee {
        self
    }
}

impl ServerHandler for Bee {
    fn get_info(&self) -> ServerConfig {
        let implementation = Implementation::new("Python Interpreter", env!("CARGO_PKG_VERSION"));
        InitializeResult::new(ServerCapabilities::builder().enable_tools().build()).with_server_info(implementation)
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        greeted(self, request, &context)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(vec![(*self.tool).clone()]))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        (name == NAME).then(|| (*self.tool).clone())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if request.name != NAME {
            let name: String = request.name.chars().take(80).collect();
            return Ok(failed(format!("Unknown tool: '{name}'")).into());
        }
        let arguments = request.arguments.unwrap_or_default();
        let source_code = match source_code(&arguments) {
            Ok(source_code) => source_code,
            Err(message) => {
                self.state().count_refused();
                return Ok(failed(message).into());
            }
        };
        let parts = context.extensions.get::<http::request::Parts>();
        let caller = parts.and_then(|parts| parts.extensions.get::<Caller>()).cloned();
        let request = ExecuteRequest {
            source_code,
            ..ExecuteRequest::default()
        };
        let done = tokio::select! {
            done = self.interpreter.execute(caller.unwrap_or_default(), request) => done,
            () = context.ct.cancelled() => Err(Problem::Cancelled),
        };
        // As that program tells it that the service behind it failed.
        let response = done.unwrap_or_else(|problem| ExecuteResponse {
            stderr: format!(
                "HTTP error {}: {}",
                problem.status().as_u16(),
                json!({"detail": problem.to_string()})
            ),
            exit_code: 1,
            ..ExecuteResponse::default()
        });
        let structured = json!(response);
        let mut result = CallToolResult::success(vec![ContentBlock::text(structured.to_string())]);
        result.structured_content = Some(structured);
        Ok(result.into())
    }
}

fn source_code(arguments: &JsonObject) -> Result<String, String> {
    let invalid = |place: &str, message: &str| format!("1 validation error for call[{NAME}]\n{place}\n  {message}");
    if let Some(name) = arguments.keys().find(|name| *name != "source_code") {
        return Err(invalid(name, "Unexpected keyword argument"));
    }
    match arguments.get("source_code") {
        None => Err(invalid("source_code", "Missing required argument")),
        Some(Value::String(source)) if is_bounded(source) => Ok(source.clone()),
        Some(Value::String(_)) => {
            let message = format!("String should have at most {MAX_CODE} characters");
            Err(invalid("source_code", &message))
        }
        Some(_) => Err(invalid("source_code", "Input should be a valid string")),
    }
}

fn failed(message: String) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(message)])
}
