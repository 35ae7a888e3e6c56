//! `/mcp` over HTTP: rmcp's stateless transport, with what it leaves to do.

use super::handler::{Minted, SESSION_HEADER, Server};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::json;
use std::sync::Arc;

/// The `/mcp` route.
///
/// `config` says who may connect (hosts, origins) and how large a message may be; that every request stands alone, and that a simple answer is plain
/// JSON, is decided here.
pub fn endpoint(server: Server, config: StreamableHttpServerConfig) -> Router {
    let config = config.with_legacy_session_mode(false).with_json_response(true);
    let sessions = Arc::new(NeverSessionManager::default());
    let service = StreamableHttpService::new(move || Ok(server.clone()), sessions, config);
    Router::new()
        .route_service("/mcp", service)
        .layer(from_fn(around))
}

/// Gives `initialize` its identifier, and says with the right status that a body is no message.
async fn around(mut request: Request, next: Next) -> Response {
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
    if let Some(connection) = minted.0.get()
        && let Ok(value) = HeaderValue::from_str(connection.as_str())
    {
        response.headers_mut().insert(SESSION_HEADER, value);
    }
    response
}

fn not_a_message() -> Response {
    let error = json!({
        "jsonrpc": "2.0",
        "id": null,
        "error": { "code": -32700, "message": "the body is not one JSON-RPC message" },
    });
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (StatusCode::BAD_REQUEST, headers, Body::from(error.to_string())).into_response()
}
