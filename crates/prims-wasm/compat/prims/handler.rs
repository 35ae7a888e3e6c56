//! The protocol: a call is translated into one of a default tool, and its result into what its clients read.

#![expect(
    deprecated,
    reason = "log levels are deprecated in the newest revision, and its clients set them"
)]

use super::{prompt, shapes};
use crate::auth::Caller;
use crate::compat::Workspaces;
use crate::http::{Artifact, Artifacts, NoArtifact};
use crate::server::connections::ConnectionId;
use crate::server::handler::{Minted, Origin, Server};
use crate::server::tools::Problem;
use crate::server::{AppState, RunFacts, Service, service};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams, CompleteResult, ContentBlock,
    CustomRequest, CustomResult, DiscoverResult, GetPromptRequestParams, GetPromptResponse, Implementation,
    InitializeRequestParams, InitializeResult, JsonObject, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse,
    ServerCapabilities, ServerConfig, SetLevelRequestParams, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone)]
pub(super) struct Handler {
    inner: Server,
    stdio: bool,
    workspaces: Arc<Workspaces>,
}

impl Handler {
    pub(super) fn new(state: AppState) -> Handler {
        Handler {
            inner: service(state),
            stdio: false,
            workspaces: Arc::default(),
        }
    }

    /// The session of this client, and the name it has for it.
    async fn session(&self, context: &RequestContext<RoleServer>) -> Result<Option<(String, String)>, Problem> {
        let origin = Origin::of(&context.extensions, self.stdio);
        let Some(connection) = origin.connection else {
            return Ok(origin.session.map(|handle| (handle.clone(), handle)));
        };
        if !self.workspaces.admits(origin.who.owner.clone(), &connection) {
            return Ok(None);
        }
        let name = connection.as_str().to_owned();
        let (workspaces, state, who) = (self.workspaces.clone(), self.state().clone(), origin.who);
        let make = move || workspaces.of(&state, &who, &connection);
        let handle = self.state().0.bridge.files(&context.ct, make).await??;
        Ok(Some((handle, name)))
    }

    /// The end of a call whose session cannot be had.
    fn without_session(&self, tool: &str, problem: Problem) -> Result<CallToolResponse, ErrorData> {
        let is_run = tool == "run_code";
        if is_run {
            let facts = RunFacts::nothing_ran(problem.counted(), Duration::ZERO);
            self.state().0.observer.finished(&facts);
        }
        match problem {
            Problem::Failure(failure) if is_run => Ok(failed(tool, &(failure.message + shapes::FEEDBACK))),
            Problem::Failure(failure) => Ok(failed(tool, &failure.message)),
            Problem::Fault(incident) => Err(incident.into()),
        }
    }

    /// What a call is to the default tool of that name, or the message of a failure.
    fn translated(&self, tool: &str, mut arguments: JsonObject) -> Result<JsonObject, String> {
        let wrong = |kind| shapes::message(tool, kind).unwrap_or_default().to_owned();
        let climbs = |path: &str| path.starts_with('/') || path.split('/').any(|part| part == "..");
        match tool {
            "run_code" => {
                let code = arguments.get("code").and_then(Value::as_str).unwrap_or_default();
                if code.chars().count() > shapes::MAX_CODE {
                    return Err(shapes::CODE_TOO_LARGE.into());
                }
                if arguments.contains_key("code") {
                    arguments.insert("code".into(), dedented(code).into());
                }
                let files = arguments.get("files").and_then(Value::as_array);
                let lacks_path = |file: &Value| file["mountPath"].as_str().is_none_or(str::is_empty);
                if files.is_some_and(|files| files.iter().any(lacks_path)) {
                    let message = "Each file entry must include a non-empty 'mountPath' key.";
                    return Err(format!("{message}{}", shapes::FEEDBACK));
                }
            }
            "persist_artifact" => {
                let path = arguments
                    .get("relative_path")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                if climbs(path) {
                    return Err(wrong("invalid_arguments"));
                }
                let path = format!("output/{path}");
                arguments.insert("relative_path".into(), path.into());
            }
            "mount_file" => {
                let path = arguments.get("mount_path").and_then(Value::as_str).unwrap_or_default();
                if path.is_empty() || climbs(path) {
                    return Err(wrong("invalid_arguments"));
                }
            }
            "list_dir" if arguments.get("dir_path").and_then(Value::as_str) == Some(".") => {
                arguments.remove("dir_path");
            }
            _ => {}
        }
        Ok(arguments)
    }

    /// A failure of a default tool in its words.
    fn failure(&self, tool: &str, arguments: &JsonObject, error: &Value) -> String {
        let text = |name: &str| error[name].as_str().unwrap_or_default();
        let kind = text("type");
        if let Some(message) = shapes::message(tool, kind).filter(|_| is_about_a_path(text("message"), kind)) {
            return message.to_owned();
        }
        if (tool, kind) == ("persist_artifact", "not_found") {
            let path = arguments
                .get("relative_path")
                .and_then(Value::as_str)
                .unwrap_or_default();
            return format!("Artifact not found: {}", path.strip_prefix("output/").unwrap_or(path));
        }
        match error["hint"].as_str() {
            Some(hint) if kind != "upload_failed" => format!("{}\n{hint}", text("message")),
            _ => text("message").to_owned(),
        }
    }

    /// What came of a run.
    fn ran(&self, reply: &Value, name: Option<String>) -> Result<Value, String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (status, error) = (text(&reply["status"]), &reply["error"]);
        let message = text(&error["message"]);
        let failed = match status.as_str() {
            "success" | "error" | "exit" => None,
            "timeout" => {
                let limit = self.state().0.limits.wall_clock.as_secs();
                Some(format!("Execution timed out after {limit}s"))
            }
            "install_error" => Some(format!("pip install failed: {message}")),
            _ => Some(message),
        };
        if let Some(message) = failed {
            return Err(format!("{message}{}", shapes::FEEDBACK));
        }
        let artifacts: Vec<Value> = reply["artifacts"]
            .as_array()
            .into_iter()
            .flatten()
            .map(artifact)
            .collect();
        let stdout = text(&reply["stdout"]);
        let mut result = json!({
            "stdout": stdout,
            // A traceback is something a process writes.
            "stderr": text(&reply["stderr"]) + &text(&error["traceback"]),
            "artifacts": artifacts,
        });
        if let Some(name) = name.or_else(|| reply["session_id"].as_str().map(Into::into)) {
            result["session_id"] = name.into();
        }
        if stdout.is_empty() {
            result["feedback"] = shapes::SILENT.into();
        }
        Ok(result)
    }
}

/// Whether an invalid argument is one of those it has a message for: a path, and not a type.
fn is_about_a_path(message: &str, kind: &str) -> bool {
    kind != "invalid_arguments" || message.starts_with("argument `")
}

/// Its path is relative to `output/`, and no resource.
fn artifact(artifact: &Value) -> Value {
    let path = artifact["relative_path"].as_str().unwrap_or_default();
    json!({
        "name": artifact["name"],
        "relative_path": path.strip_prefix("output/").unwrap_or(path),
        "size": artifact["size"],
        "mime": artifact["mime"],
    })
}

/// Without the white space that all lines begin with.
fn dedented(code: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let mut common: Option<&str> = None;
    for line in code.lines().filter(|line| !line.trim().is_empty()) {
        let own = &line[..indent(line)];
        common = Some(common.map_or(own, |common| {
            let same = common.bytes().zip(own.bytes()).take_while(|(a, b)| a == b).count();
            &common[..same]
        }));
    }
    let Some(common) = common.filter(|common| !common.is_empty()) else {
        return code.to_owned();
    };
    let lines = code.split_inclusive('\n').map(|line| match line.trim() {
        "" => line.trim_start_matches([' ', '\t']),
        _ => line.strip_prefix(common).unwrap_or(line),
    });
    lines.collect()
}

/// A result as its clients read it: JSON as text, and the same as structure.
fn told(structured: Value) -> CallToolResult {
    let shown = structured.get("result").unwrap_or(&structured).to_string();
    let mut result = CallToolResult::success(vec![ContentBlock::text(shown)]);
    result.structured_content = Some(structured);
    result
}

fn failed(tool: &str, message: &str) -> CallToolResponse {
    let text = format!("Error calling tool '{tool}': {message}");
    CallToolResult::error(vec![ContentBlock::text(text)]).into()
}

impl Artifacts for Handler {
    fn open(&self, caller: &Caller, session: &str, path: &str) -> Result<Artifact, NoArtifact> {
        let owner = caller.0.clone();
        let handle = match ConnectionId::parse(session) {
            Some(connection) => self
                .workspaces
                .known(&(owner.clone(), connection))
                .ok_or(NoArtifact::NotFound)?,
            None => session.to_owned(),
        };
        self.state().artifact(owner, &handle, path)
    }
}

impl Service for Handler {
    fn state(&self) -> &AppState {
        self.inner.state()
    }

    fn on_stdio(self) -> Handler {
        Handler {
            inner: self.inner.on_stdio(),
            stdio: true,
            ..self
        }
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_prompts()
            .enable_resources()
            .enable_tools()
            .build();
        InitializeResult::new(capabilities).with_server_info(Implementation::new("primcs", "0.1.0"))
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        let parts = context.extensions.get::<axum::http::request::Parts>();
        let minted = parts.and_then(|parts| parts.extensions.get::<Minted>()).cloned();
        let owner = Origin::of(&context.extensions, self.stdio).who.owner;
        let inner = self.inner.initialize(request, context).await?;
        if let Some(connection) = minted.and_then(|minted| minted.0.get().cloned()) {
            self.workspaces.admit(owner, connection);
        }
        let mut info = self.get_info();
        info.protocol_version = inner.protocol_version;
        Ok(info)
    }

    async fn discover(&self, context: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let _ = context;
        let versions = self.supported_protocol_versions().into_owned();
        Ok(DiscoverResult::from_server_info(versions, self.get_info()))
    }

    #[expect(
        deprecated,
        reason = "log levels are deprecated in the newest revision, and its clients set them"
    )]
    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.inner.set_level(request, context).await
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(shapes::tools().to_vec()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        shapes::tools().iter().find(|tool| tool.name == name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let tool = request.name.to_string();
        if !shapes::tools().iter().any(|known| known.name == tool) {
            let name: String = tool.chars().take(80).collect();
            let text = format!("Unknown tool: '{name}'");
            return Ok(CallToolResult::error(vec![ContentBlock::text(text)]).into());
        }
        let given = request.arguments.clone().unwrap_or_default();
        let mut arguments = match self.translated(&tool, given) {
            Ok(arguments) => arguments,
            Err(message) => {
                if tool == "run_code" {
                    self.state().count_refused();
                }
                return Ok(failed(&tool, &message));
            }
        };
        let session = match self.session(&context).await {
            Ok(session) => session,
            Err(problem) => return self.without_session(&tool, problem),
        };
        match &session {
            Some((handle, _)) => {
                arguments.insert("session_id".into(), handle.as_str().into());
            }
            None if tool != "run_code" => {
                let message = shapes::message(&tool, "no_session").unwrap_or_default();
                return Ok(failed(&tool, message));
            }
            None => {}
        }
        let mut inner = request;
        inner.arguments = Some(arguments.clone());
        let result = match self.inner.call_tool(inner, context).await? {
            CallToolResponse::Complete(result) => result,
            other => return Ok(other),
        };
        let structured = result.structured_content.unwrap_or_default();
        let translated = match tool.as_str() {
            "run_code" => self.ran(&structured, session.map(|(_, name)| name)),
            _ if result.is_error == Some(true) => Err(self.failure(&tool, &arguments, &structured["error"])),
            _ => Ok(structured),
        };
        Ok(match translated {
            Ok(structured) => told(structured).into(),
            Err(message) => failed(&tool, &message),
        })
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(vec![prompt::definition()]))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        Ok(prompt::get(&request.name, &arguments)?.into())
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        self.inner.list_resources(request, context).await
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        self.inner.list_resource_templates(request, context).await
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        self.inner.read_resource(request, context).await
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        self.inner.complete(request, context).await
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        self.inner.on_custom_request(request, context).await
    }
}

#[cfg(test)]
mod tests {
    use super::dedented;

    #[test]
    fn code_is_dedented_as_textwrap_does() {
        for (code, expected) in [
            ("a\n  b\n", "a\n  b\n"),
            ("  a\n    b\n\n  c", "a\n  b\n\nc"),
            ("\ta\n\t\tb", "a\n\tb"),
            ("  a\n\tb", "  a\n\tb"),
            ("\n   \n  a", "\n\na"),
        ] {
            assert_eq!(dedented(code), expected, "{code:?}");
        }
    }
}
