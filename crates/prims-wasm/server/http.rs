//! `/mcp` over HTTP: rmcp's stateless transport, with what it leaves to do.

use super::Service;
use super::connections::ConnectionId;
use super::handler::{Minted, SESSION_HEADER};
use super::state::AppState;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use rmcp::ServerHandler;
use rmcp::model::RequestId;
use rmcp::transport::streamable_http_server::session::SessionManager;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// Bytes of a cancellation, its reason included; longer bodies go by unread.
const MAX_CANCELLATION: usize = 4096;

/// The `/mcp` route.
///
/// `config` says who may connect (hosts, origins) and how large a message may be; that every request stands alone, and that a simple answer is plain
/// JSON, is decided here.
pub fn endpoint<S: Service>(server: S, config: StreamableHttpServerConfig) -> Router {
    endpoint_with(server, config.with_json_response(true))
}

/// The same; whether a simple answer is plain JSON is left to `config`.
pub(crate) fn endpoint_with<S: Service>(server: S, config: StreamableHttpServerConfig) -> Router {
    let state = server.state().clone();
    endpoint_of(server, state, config.with_legacy_session_mode(false))
}

/// The same for another handler on this state. Where `config` has sessions of the transport, which a handler needs that asks clients something
/// while a request of theirs runs, they are the transport's own: it names them in `Mcp-Session-Id`, passes cancellations on itself, and nothing
/// here bounds how many there are.
pub fn endpoint_of<H>(handler: H, state: AppState, config: StreamableHttpServerConfig) -> Router
where
    H: ServerHandler + Clone,
{
    match config.legacy_session_mode {
        true => route(handler, state, LocalSessionManager::default(), config),
        false => route(handler, state, NeverSessionManager::default(), config),
    }
}

fn route<H, M>(handler: H, state: AppState, sessions: M, config: StreamableHttpServerConfig) -> Router
where
    H: ServerHandler + Clone,
    M: SessionManager,
{
    let service = StreamableHttpService::new(move || Ok(handler.clone()), Arc::new(sessions), config);
    Router::new()
        .route_service("/mcp", service)
        .layer(from_fn_with_state(state, around))
}

/// Gives `initialize` its identifier, hears cancellations (the transport drops all notifications, since every request stands alone), and says
/// with the right status that a body is no message.
async fn around(State(state): State<AppState>, request: Request, next: Next) -> Response {
    // The transport's own check looks past a user's name before the host.
    let host = request.headers().get(header::HOST);
    if host.is_some_and(|host| host.as_bytes().contains(&b'@')) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let (mut request, cancelled) = match cancellation(request).await {
        Ok(read) => read,
        Err(response) => return response,
    };
    let minted = Minted::default();
    request.extensions_mut().insert(minted.clone());
    let is_json = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            let essence = value.split(';').next().unwrap_or_default();
            essence.trim().eq_ignore_ascii_case("application/json")
        });
    let mut response = next.run(request).await;
    if is_json && response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        return not_a_message();
    }
    // Only now: what the transport refuses (a foreign host, say) must have no effect.
    if let Some((connection, request)) = cancelled
        && response.status() == StatusCode::ACCEPTED
    {
        state.0.connections.cancel(&connection, &request);
    }
    if let Some(connection) = minted.0.get()
        && let Ok(value) = HeaderValue::from_str(connection.as_str())
    {
        response.headers_mut().insert(SESSION_HEADER, value);
    }
    response
}

/// What a request cancels, if it is a cancellation of a client that was given an identifier.
async fn cancellation(request: Request) -> Result<(Request, Option<(ConnectionId, RequestId)>), Response> {
    let headers = request.headers();
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let length = text(header::CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<usize>().ok());
    let connection = text(SESSION_HEADER).and_then(ConnectionId::parse);
    let (Some(connection), Some(1..=MAX_CANCELLATION)) = (connection, length) else {
        return Ok((request, None));
    };
    let (parts, body) = request.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, MAX_CANCELLATION).await else {
        return Err(not_a_message());
    };
    let cancelled = serde_json::from_slice::<Cancellation>(&bytes)
        .ok()
        .filter(|message| message.method == "notifications/cancelled")
        .map(|message| (connection, message.params.request_id));
    Ok((Request::from_parts(parts, Body::from(bytes)), cancelled))
}

#[derive(Deserialize)]
struct Cancellation {
    method: String,
    params: CancellationParameters,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CancellationParameters {
    request_id: RequestId,
}

pub(crate) fn not_a_message() -> Response {
    let error = json!({
        "jsonrpc": "2.0",
        "id": null,
        "error": { "code": -32700, "message": "the body is not one JSON-RPC message" },
    });
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (StatusCode::BAD_REQUEST, headers, Body::from(error.to_string())).into_response()
}
