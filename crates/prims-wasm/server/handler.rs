//! The protocol: what MCP asks for, answered by tools and resources.

use super::Service;
use super::bridge::Incident;
use super::connections::ConnectionId;
use super::instructions::instructions;
use super::live::Live;
use super::resources;
use super::sessions::Who;
use super::state::AppState;
use super::tools::{self, Call};
use crate::auth::Caller;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CompleteRequestMethod, CompleteRequestParams, CompleteResult,
    CustomRequest, CustomResult, DiscoverResult, ErrorCode, Implementation, InitializeRequestParams, InitializeResult,
    ListPromptsRequestMethod, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult,
    LoggingLevel, PaginatedRequestParams, ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse,
    ServerCapabilities, ServerConfig, SetLevelRequestParams, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use std::sync::{Arc, OnceLock};

/// How long clients may keep what only changes with the program or its settings.
pub(crate) const CACHE_MS: u64 = 5 * 60 * 1000;

/// The header that names a connection, and a session for clients that know no other way.
pub(crate) const SESSION_HEADER: &str = "mcp-session-id";

/// Methods that are served and have parameters.
const SERVED: [&str; 8] = [
    "initialize",
    "server/discover",
    "logging/setLevel",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
];

/// Those of them that the newest revision no longer has.
const BEFORE_2026: [&str; 2] = ["initialize", "logging/setLevel"];

/// Put into the extensions of an HTTP request; [`Server`] leaves the identifier there that the answer to `initialize` shall carry.
#[derive(Clone, Default)]
pub(crate) struct Minted(pub(crate) Arc<OnceLock<ConnectionId>>);

/// The MCP service.
#[derive(Clone)]
pub struct Server {
    state: AppState,
    fixed: Arc<Fixed>,
    /// Whether the process's standard streams are the transport.
    stdio: bool,
}

/// What is the same for every request.
struct Fixed {
    tools: Vec<Tool>,
    instructions: String,
}

/// What the transport knows about a request.
pub(crate) struct Origin {
    pub(crate) who: Who,
    pub(crate) connection: Option<ConnectionId>,
    pub(crate) session: Option<String>,
}

impl Origin {
    /// Who sends a request with these extensions.
    pub(crate) fn of(extensions: &rmcp::model::Extensions, stdio: bool) -> Origin {
        let parts = extensions.get::<http::request::Parts>();
        let header = parts
            .and_then(|parts| parts.headers.get(SESSION_HEADER))
            .and_then(|value| value.to_str().ok());
        let connection = if stdio {
            Some(ConnectionId::Stdio)
        } else {
            header.and_then(ConnectionId::parse)
        };
        let owner = parts
            .and_then(|parts| parts.extensions.get::<Caller>())
            .and_then(|caller| caller.0.clone());
        Origin {
            who: Who {
                group: tools::group(owner.as_deref(), connection.as_ref()),
                owner,
            },
            session: header
                .filter(|header| ConnectionId::parse(header).is_none())
                .map(str::to_owned),
            connection,
        }
    }
}

impl Server {
    pub(crate) fn new(state: AppState) -> Server {
        let fixed = Fixed {
            tools: tools::all(),
            instructions: instructions(&state.0),
        };
        Server {
            state,
            fixed: Arc::new(fixed),
            stdio: false,
        }
    }

    fn origin(&self, extensions: &rmcp::model::Extensions) -> Origin {
        Origin::of(extensions, self.stdio)
    }

    /// What the client wants to be told during this request: as the request says, which is the only way in the newest revision, else as the connection
    /// was told.
    fn level(&self, context: &RequestContext<RoleServer>, origin: &Origin) -> Option<LoggingLevel> {
        if context.meta.protocol_version().is_some() {
            return context.meta.log_level();
        }
        let connection = origin.connection.as_ref()?;
        self.state.0.connections.level(connection)
    }
}

/// The newest revision, which says what it is in every request, has no methods whose effect would outlast the request.
fn only_before_2026(method: &'static str, context: &RequestContext<RoleServer>) -> Result<(), ErrorData> {
    match context.meta.protocol_version() {
        Some(version) if version.as_str() >= ProtocolVersion::V_2026_07_28.as_str() => {
            Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, method, None))
        }
        _ => Ok(()),
    }
}

/// What a server answers to `initialize`; the transport is told what was agreed on.
pub(crate) fn greeted(
    handler: &impl ServerHandler,
    request: InitializeRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<InitializeResult, ErrorData> {
    let result = handler.negotiate_initialize(&request)?;
    let mut peer = request;
    peer.protocol_version = result.protocol_version.clone();
    context.peer.set_peer_info(peer);
    Ok(result)
}

impl Service for Server {
    fn state(&self) -> &AppState {
        &self.state
    }

    fn on_stdio(self) -> Server {
        Server { stdio: true, ..self }
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_logging()
            .enable_resources()
            .enable_tools()
            .build();
        let implementation = Implementation::new("prims-wasm", env!("CARGO_PKG_VERSION")).with_title("prims-wasm");
        InitializeResult::new(capabilities)
            .with_server_info(implementation)
            .with_instructions(self.fixed.instructions.clone())
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        only_before_2026("initialize", &context)?;
        let result = greeted(self, request, &context)?;
        let parts = context.extensions.get::<http::request::Parts>();
        if let Some(minted) = parts.and_then(|parts| parts.extensions.get::<Minted>())
            && let Some(connection) = ConnectionId::mint()
        {
            let _ = minted.0.set(connection);
        }
        Ok(result)
    }

    async fn discover(&self, _: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let versions = self.supported_protocol_versions().into_owned();
        Ok(DiscoverResult::from_server_info(versions, self.get_info())
            .with_ttl_ms(CACHE_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        only_before_2026("logging/setLevel", &context)?;
        // Without a connection there is nothing to remember it by, and no harm in saying yes: the client asks to be told less or more.
        if let Some(connection) = self.origin(&context.extensions).connection {
            self.state.0.connections.set_level(&connection, request.level);
        }
        Ok(())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.fixed.tools.clone())
            .with_ttl_ms(CACHE_MS)
            .with_cache_scope(CacheScope::Public))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.fixed.tools.iter().find(|tool| tool.name == name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let origin = self.origin(&context.extensions);
        let level = self.level(&context, &origin);
        let state = self.state.clone();
        let stop = context.ct.child_token();
        let call = Call {
            version: context.protocol_version(),
            live: Live::start(&context.peer, level, context.meta.get_progress_token()),
            who: origin.who,
            session: origin.session,
            stop: stop.clone(),
            state: state.clone(),
        };
        let (name, arguments) = (request.name, request.arguments.unwrap_or_default());
        // A task of its own, because a panic in it is then an answer and not a client that waits for ever.
        let task = tokio::spawn(async move {
            let _counted = state.0.bridge.enter();
            let _known = origin
                .connection
                .as_ref()
                .map(|connection| state.0.connections.running(connection, context.id, stop.clone()));
            let called = tools::call(&name, arguments, call);
            tokio::pin!(called);
            tokio::select! {
                result = &mut called => result,
                () = state.0.shutdown.cancelled() => {
                    stop.cancel();
                    called.await
                }
            }
        });
        match task.await {
            Ok(result) => Ok(result?.into()),
            Err(panic) => Err(Incident::log(&format_args!("a call panicked: {panic}")).into()),
        }
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let who = self.origin(&context.extensions).who;
        let cursor = request.and_then(|request| request.cursor);
        resources::list(&self.state, &who, cursor, &context.ct).await
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(resources::templates())
    }

    /// There are none, and a server that says nothing about prompts must not answer as if it had some.
    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListPromptsRequestMethod>())
    }

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Err(ErrorData::method_not_found::<CompleteRequestMethod>())
    }

    /// A method that nobody knows, or one that everybody knows with parameters that do not read as its own.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let method: String = request.method.chars().take(80).collect();
        if let Some(method) = BEFORE_2026.iter().find(|before| **before == method) {
            only_before_2026(method, &context)?;
        }
        if SERVED.contains(&&*method) {
            let message = format!("the parameters of `{method}` are not as the protocol defines them");
            return Err(ErrorData::invalid_params(message, None));
        }
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, method, None))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let who = self.origin(&context.extensions).who;
        let result = resources::read(&self.state, &who, request.uri, &context.ct).await?;
        Ok(result.into())
    }
}
