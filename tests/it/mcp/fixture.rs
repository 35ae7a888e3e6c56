//! The server with the tools, prompts and resources that the conformance suites call for, on the product's own transport, edge and
//! handler. `tests/clients/fixtures.json` has what they answer; here is what they do.

#![expect(
    deprecated,
    reason = "what the newest revision deprecates is what the suites of older ones ask for"
)]

use prims_wasm::http as edge;
use prims_wasm::server::{AppState, Server, endpoint_of, service};
use prims_wasm::settings::{SettingArguments, Settings};
use rmcp::model::*;
use rmcp::service::RequestContext;
use rmcp::transport::StreamableHttpServerConfig;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const TEMPLATE: (&str, &str) = ("test://template/", "/data");
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Clone)]
struct Fixture {
    product: Server,
    data: Arc<Value>,
    /// What only this process can have put into a request's state.
    key: [u8; 16],
}

/// Serves the fixture on any free port of this machine until `stop`. `sessions` is for clients that are asked something while a
/// request of theirs runs, which revisions before 2026-07-28 know; without it, everything is as in the product.
pub(super) async fn serve(state: AppState, sessions: bool, stop: CancellationToken) -> SocketAddr {
    let data = include_str!("../../clients/fixtures.json");
    let mut key = [0; 16];
    getrandom::fill(&mut key).expect("entropy");
    let fixture = Fixture {
        product: service(state.clone()),
        data: Arc::new(serde_json::from_str(data).expect("it is JSON")),
        key,
    };
    let mut config = StreamableHttpServerConfig::default()
        .disable_allowed_hosts()
        .with_json_response(true);
    config.legacy_session_mode = sessions;
    let given = [("port", vec!["0".to_owned()])].into();
    let settings = Settings::load_with(&SettingArguments { config: None, given }, &|_| None).expect("settings");
    let front = edge::Service {
        mcp: Some(endpoint_of(fixture, state, config)),
        refusals: edge::Refusals::default(),
        rest: None,
        grpc: None,
        artifacts: None,
        gauges: Arc::new(NoGauges),
        metrics: edge::Metrics::new().expect("metrics"),
        readiness: edge::Readiness::starting(),
        abandon: CancellationToken::new(),
    };
    let server = edge::Server::bind(&settings, front).await.expect("a free port");
    let address = server.address();
    tokio::spawn(server.serve(stop.cancelled_owned()));
    address
}

struct NoGauges;

impl edge::Gauges for NoGauges {
    fn levels(&self) -> edge::Levels {
        edge::Levels::default()
    }
}

fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

/// The value with every `{name}` in its texts replaced.
fn filled(value: &Value, arguments: &Map<String, Value>) -> Value {
    let mut text = value.to_string();
    for (name, value) in arguments {
        let escaped = json!(value.as_str().unwrap_or_default()).to_string();
        text = text.replace(&format!("{{{name}}}"), escaped.trim_matches('"'));
    }
    serde_json::from_str(&text).expect("it is still JSON")
}

fn text(text: impl Into<String>) -> CallToolResponse {
    CallToolResult::success(vec![ContentBlock::text(text)]).into()
}

fn is_modern(context: &RequestContext<RoleServer>) -> bool {
    context.meta.protocol_version().is_some()
}

fn only_before(method: &'static str, context: &RequestContext<RoleServer>) -> Result<(), ErrorData> {
    match is_modern(context) {
        true => Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, method, None)),
        false => Ok(()),
    }
}

impl Fixture {
    fn names(&self, of: &str) -> Vec<String> {
        self.data[of]
            .as_object()
            .map(|all| all.keys().cloned().collect())
            .unwrap_or_default()
    }

    fn tools(&self) -> Vec<Tool> {
        let names = ["results", "asks", "rounds"].into_iter().flat_map(|of| self.names(of));
        let names = names.filter(|name| !name.ends_with("_prompt"));
        let any = json!({ "type": "object", "properties": { "prompt": { "type": "string" }, "message": { "type": "string" } } });
        names
            .map(|name| Tool::new(name, "A fixture", read::<JsonObject>(&any)))
            .collect()
    }

    /// One message after the other, as a program that is getting on with something.
    async fn logs(&self, context: &RequestContext<RoleServer>) {
        for line in self.data["logs"].as_array().into_iter().flatten() {
            let message = LoggingMessageNotificationParam::new(LoggingLevel::Info, line.clone());
            let _ = context.peer.notify_logging_message(message).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn progresses(&self, context: &RequestContext<RoleServer>) {
        for progress in [0.0, 50.0, 100.0] {
            if let Some(token) = context.meta.get_progress_token() {
                let progress = ProgressNotificationParam::new(token, progress).with_total(100.0);
                let _ = context.peer.notify_progress(progress).await;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Asks the client something while its request runs.
    async fn asks(
        &self,
        ask: &Value,
        arguments: &Map<String, Value>,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let mut ask = ask.to_string();
        for (placeholder, name) in [("PROMPT", "prompt"), ("MESSAGE", "message")] {
            ask = ask.replace(placeholder, arguments.get(name).and_then(Value::as_str).unwrap_or("?"));
        }
        let request = match serde_json::from_str(&ask).expect("a request") {
            InputRequest::CreateMessage(request) => ServerRequest::CreateMessageRequest(request),
            InputRequest::Elicitation(request) => ServerRequest::ElicitRequest(request),
            other => panic!("nothing asks for {other:?}"),
        };
        let answer = context.peer.send_request(request).await;
        let answer = answer.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        Ok(text(format!(
            "LLM response, User response, Elicitation completed: {}",
            json!(answer)
        )))
    }

    /// The state after which round `round` was asked.
    fn sealed(&self, name: &str, round: usize) -> String {
        let digest = Sha256::digest([&self.key[..], name.as_bytes(), &round.to_le_bytes()].concat());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{round}-{digest}")
    }

    /// What has to be known before `name` can go on, if anything.
    fn missing(
        &self,
        name: &str,
        responses: Option<BTreeMap<String, Value>>,
        state: Option<String>,
        context: &RequestContext<RoleServer>,
    ) -> Result<Option<InputRequiredResult>, ErrorData> {
        let rounds: Vec<BTreeMap<String, InputRequest>> = read(&self.data["rounds"][name]);
        let round = match &state {
            None => 0,
            Some(state) => (0..rounds.len())
                .find(|round| self.sealed(name, *round) == *state)
                .ok_or_else(|| ErrorData::invalid_params("`requestState` is not one of this server", None))?,
        };
        let responses = responses.unwrap_or_default();
        let answered = rounds[round]
            .keys()
            .all(|key| responses.get(key).is_some_and(Value::is_object));
        let next = if answered { round + 1 } else { round };
        let Some(requests) = rounds.get(next) else {
            return Ok(None);
        };
        let mut requests = requests.clone();
        if name.ends_with("capabilities") {
            let can = context.client_capabilities().unwrap_or_default();
            requests.retain(|_, request| match request {
                InputRequest::CreateMessage(_) => can.sampling.is_some(),
                InputRequest::Elicitation(_) => can.elicitation.is_some(),
                _ => can.roots.is_some(),
            });
        }
        Ok(Some(InputRequiredResult::new(
            Some(requests),
            Some(self.sealed(name, next)),
        )))
    }
}

impl ServerHandler for Fixture {
    fn get_info(&self) -> ServerConfig {
        let mut info = self.product.get_info();
        let capabilities = ServerCapabilities::builder()
            .enable_prompts()
            .enable_completions()
            .build();
        (info.capabilities.prompts, info.capabilities.completions) = (capabilities.prompts, capabilities.completions);
        info
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        let result = self.negotiate_initialize(&request)?;
        context.peer.set_peer_info(request);
        Ok(result)
    }

    async fn discover(&self, _: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let versions = self.supported_protocol_versions().into_owned();
        let found = DiscoverResult::from_server_info(versions, self.get_info());
        Ok(found.with_ttl_ms(0).with_cache_scope(CacheScope::Public))
    }

    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.product.set_level(request, context).await
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut list = self.product.list_tools(request, context).await?;
        list.tools.extend(self.tools());
        Ok(list)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let own = self.tools().into_iter().find(|tool| tool.name == name);
        own.or_else(|| self.product.get_tool(name))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = request.name.to_string();
        let arguments = request.arguments.clone().unwrap_or_default();
        match &*name {
            "test_tool_with_logging" => self.logs(&context).await,
            "test_logging_tool" if context.meta.log_level().is_some() => self.logs(&context).await,
            "test_tool_with_progress" => self.progresses(&context).await,
            "test_missing_capability" => {
                let can = context.client_capabilities().unwrap_or_default();
                if can.sampling.is_none() {
                    let needed = ClientCapabilities::builder().enable_sampling().build();
                    return Err(ErrorData::missing_required_client_capability(needed));
                }
            }
            _ => {}
        }
        if let Some(result) = self.data["results"].get(&name) {
            let mut result: CallToolResult = read(result);
            result.result_type = Some(ResultType::COMPLETE);
            return Ok(result.into());
        }
        if let Some(ask) = self.data["asks"].get(&name) {
            return self.asks(ask, &arguments, &context).await;
        }
        if self.data["rounds"].get(&name).is_none() {
            return self.product.call_tool(request, context).await;
        }
        match self.missing(&name, request.input_responses.clone(), request.request_state, &context)? {
            Some(missing) => Ok(missing.into()),
            None => Ok(text(format!("state-ok {}", json!(request.input_responses)))),
        }
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let mut list = self.product.list_resources(request, context).await?;
        let own = self.names("resources").into_iter();
        list.resources
            .extend(own.map(|uri| Resource::new(uri.clone(), uri).with_description("A fixture")));
        Ok(list)
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let mut list = self.product.list_resource_templates(request, context).await?;
        let own = ResourceTemplate::new(format!("{}{{id}}{}", TEMPLATE.0, TEMPLATE.1), "fixture");
        list.resource_templates.push(own.with_description("A fixture"));
        Ok(list)
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri.clone();
        let found = match uri
            .strip_prefix(TEMPLATE.0)
            .and_then(|rest| rest.strip_suffix(TEMPLATE.1))
        {
            Some(id) => {
                let content = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
                Some(json!({ "mimeType": "application/json", "text": content.to_string() }))
            }
            None => self.data["resources"].get(&uri).cloned(),
        };
        let Some(mut content) = found else {
            return self.product.read_resource(request, context).await;
        };
        content["uri"] = json!(uri);
        let result = ReadResourceResult::new(vec![read(&content)]);
        Ok(result.with_ttl_ms(0).with_cache_scope(CacheScope::Public).into())
    }

    async fn subscribe(&self, _: SubscribeRequestParams, context: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        only_before("resources/subscribe", &context)
    }

    async fn unsubscribe(
        &self,
        _: UnsubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        only_before("resources/unsubscribe", &context)
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let prompts = self.names("prompts").into_iter().map(|name| {
            let arguments: Vec<String> = read(&self.data["prompts"][&name]["arguments"]);
            let arguments = arguments
                .into_iter()
                .map(|name| PromptArgument::new(name).with_required(true));
            Prompt::new(name, Some("A fixture"), Some(arguments.collect()))
        });
        let list = ListPromptsResult::with_all_items(prompts.collect());
        Ok(list.with_ttl_ms(0).with_cache_scope(CacheScope::Public))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let name = request.name;
        let Some(prompt) = self.data["prompts"].get(&name) else {
            return Err(ErrorData::invalid_params(format!("no prompt `{name}`"), None));
        };
        if self.data["rounds"].get(&name).is_some()
            && let Some(missing) = self.missing(&name, request.input_responses, request.request_state, &context)?
        {
            return Ok(missing.into());
        }
        let messages = filled(&prompt["messages"], &request.arguments.unwrap_or_default());
        Ok(GetPromptResult::new(read(&messages)).into())
    }

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Ok(CompleteResult::default())
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        self.product.on_custom_request(request, context).await
    }
}
