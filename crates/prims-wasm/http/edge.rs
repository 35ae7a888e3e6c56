//! The way of one request: whom it is for, who sends it, how much they may ask for, its body, and then the service.

use super::answer::{self, Form, Problem};
use super::artifacts::{self, Artifacts};
use super::authority::{Foreign, Names};
use super::body::{self, Bodies, Kind};
use super::connections::Answer;
use super::metrics::{Gauges, Metrics};
use super::timed::Progress;
use super::{Readiness, Refusals, held};
use crate::auth::{Authenticator, Caller, Denied, Quotas, Ticket};
use crate::hex::hex;
use axum::Router;
use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, VARY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;
use tower::ServiceExt;
use tracing::Instrument;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Headers that say what a request is.
const ONCE: [&str; 4] = ["mcp-protocol-version", "mcp-method", "mcp-name", "mcp-session-id"];
/// Where the metadata of RFC 9728 lies; the path of the resource may follow.
const RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource";

/// Everything requests are judged by and answered from.
pub(super) struct Edge {
    pub(super) names: Names,
    pub(super) authenticator: Authenticator,
    pub(super) quotas: Arc<Quotas>,
    pub(super) bodies: Bodies,
    pub(super) mcp: Option<Router>,
    pub(super) rest: Option<Router>,
    pub(super) refusals: Refusals,
    pub(super) artifacts: Option<Arc<dyn Artifacts>>,
    pub(super) gauges: Arc<dyn Gauges>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) readiness: Arc<Readiness>,
}

impl Answer for Arc<Edge> {
    async fn answer(&self, peer: SocketAddr, progress: Arc<Progress>, request: Request<Incoming>) -> Response<Body> {
        progress.start();
        let ended = held::OnDrop::new(move || progress.end());
        let began = Instant::now();
        let id = request_id();
        let (parts, body) = request.into_parts();
        let (method, route) = (parts.method.clone(), Route::of(parts.uri.path()));
        let origin = self.names.cross_origin(&parts.headers);
        let span = tracing::info_span!("request", id = %id, %method, route = route.word());
        let routed = caught(self.route(route, peer, parts, Body::new(body)))
            .instrument(span.clone())
            .await;
        let (mut response, ticket) = routed.unwrap_or_else(|| {
            let _inside = span.enter();
            tracing::error!("a handler panicked");
            (Problem::Panicked(id.clone()).into_response(self.form(route)), None)
        });
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Ok(id) = HeaderValue::from_str(&id) {
            headers.insert(REQUEST_ID, id);
        }
        if let Some(origin) = origin {
            share(headers, origin);
        }
        let status = response.status().as_u16();
        self.metrics.request_answered(status);
        let _inside = span.enter();
        let ms = (began.elapsed().as_secs_f64() * 1e6).round() / 1e3;
        tracing::info!(status, ms, "answered");
        response.map(|body| held::body(body, (ended, ticket)))
    }
}

/// What a path leads to. Logs have this and not the path, which may be a caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Alive,
    Ready,
    Metrics,
    ResourceMetadata,
    Mcp,
    Artifacts,
    Rest,
    /// Takes a body that is not JSON.
    Upload,
    Unknown,
}

impl Route {
    fn of(path: &str) -> Route {
        match path {
            "/healthz" => Route::Alive,
            "/readyz" => Route::Ready,
            "/metrics" => Route::Metrics,
            "/mcp" => Route::Mcp,
            "/v1/files" => Route::Upload,
            "/openapi.json" => Route::Rest,
            _ if path.starts_with("/v1/") => Route::Rest,
            _ if path.starts_with("/artifacts/") => Route::Artifacts,
            _ if path.starts_with(RESOURCE_METADATA) => Route::ResourceMetadata,
            _ => Route::Unknown,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Route::Alive => "healthz",
            Route::Ready => "readyz",
            Route::Metrics => "metrics",
            Route::ResourceMetadata => "resource-metadata",
            Route::Mcp => "mcp",
            Route::Artifacts => "artifacts",
            Route::Rest => "rest",
            Route::Upload => "upload",
            Route::Unknown => "unknown",
        }
    }

    fn methods(self) -> &'static str {
        match self {
            Route::Mcp => "GET, POST, DELETE",
            Route::Rest => "GET, POST",
            Route::Upload => "POST",
            Route::Alive | Route::Ready => "GET, HEAD",
            _ => "GET",
        }
    }
}

type Routed = (Response<Body>, Option<Ticket>);

impl Edge {
    async fn route(&self, route: Route, peer: SocketAddr, parts: Parts, body: Body) -> Routed {
        match self.judge(route, peer, parts, body).await {
            Ok(routed) => routed,
            Err(problem) => {
                let text = match problem {
                    Problem::UnknownPath => self.refusals.path,
                    Problem::Method(_) => self.refusals.method,
                    _ => None,
                };
                let form = text.map_or_else(|| self.form(route), Form::Text);
                (problem.into_response(form), None)
            }
        }
    }

    /// How the clients of a route read errors.
    fn form(&self, route: Route) -> Form {
        let is_rest = matches!(route, Route::Rest | Route::Upload) || !self.is_there(route);
        match self.rest.is_some() && is_rest {
            true => Form::Detail,
            false => Form::JsonRpc,
        }
    }

    /// Whether this kind of server has such a route.
    fn is_there(&self, route: Route) -> bool {
        match route {
            Route::Unknown => false,
            Route::Mcp => self.mcp.is_some(),
            Route::Artifacts => self.artifacts.is_some(),
            Route::Rest | Route::Upload => self.rest.is_some(),
            Route::Alive | Route::Ready | Route::Metrics | Route::ResourceMetadata => true,
        }
    }

    async fn judge(&self, route: Route, peer: SocketAddr, parts: Parts, body: Body) -> Result<Routed, Problem> {
        // Whoever looks after this process calls it by whatever address it has. There is nothing to learn here.
        if !matches!(route, Route::Alive | Route::Ready) {
            self.names
                .check(&parts.uri, &parts.headers)
                .map_err(|foreign| match foreign {
                    Foreign::Host => Problem::ForeignHost,
                    Foreign::Origin => Problem::ForeignOrigin,
                })?;
        }
        if !self.is_there(route) {
            return Err(Problem::UnknownPath);
        }
        if let Some(answer) = self.preflight(&parts) {
            return Ok((answer, None));
        }
        if !route
            .methods()
            .split(", ")
            .any(|method| method == parts.method.as_str())
        {
            return Err(Problem::Method(route.methods()));
        }
        let answer = match route {
            Route::Alive => answer::text(StatusCode::OK, "ok\n"),
            Route::Ready => self.readiness.answer(),
            Route::Metrics => self.metrics().await,
            Route::ResourceMetadata => self.resource_metadata()?,
            _ => return self.protected(route, peer, parts, body).await,
        };
        Ok((answer, None))
    }

    /// What needs to know who calls. Nothing of the body is read before that is known.
    async fn protected(&self, route: Route, peer: SocketAddr, parts: Parts, body: Body) -> Result<Routed, Problem> {
        let caller = match self.authenticator.caller(&parts.headers).await {
            Ok(caller) => caller,
            Err(denied) => return Ok((self.denied(&denied, self.form(route)), None)),
        };
        let ticket = self.admit(&caller, peer.ip())?;
        // Which of two would count is a matter of taste, and those who look after this one may have another.
        if let Some(name) = ONCE
            .iter()
            .find(|name| parts.headers.get_all(**name).iter().count() > 1)
        {
            return Err(Problem::Twice(name));
        }
        let kind = match route {
            Route::Upload => Kind::Bytes,
            _ => Kind::Json,
        };
        if let Err(problem) = self.bodies.announced(kind, &parts.method, &parts.headers) {
            body::discard(body);
            return Err(problem);
        }
        if let (Some(keeper), Route::Artifacts) = (self.artifacts.clone(), route) {
            let plain = self.refusals.artifacts;
            let answer = artifacts::get(keeper, caller, &parts.uri, &parts.headers, plain).await;
            return Ok((answer, ticket));
        }
        // The budget of the body is held until there is an answer, or the beginning of one.
        let taken = match parts.method {
            Method::POST => Some(self.bodies.take(kind, body).await?),
            _ => None,
        };
        let body = taken
            .as_ref()
            .map_or_else(Body::empty, |taken| Body::from(taken.bytes.clone()));
        let mut request = Request::from_parts(parts, body);
        request.extensions_mut().insert(caller);
        let service = match route {
            Route::Rest | Route::Upload => &self.rest,
            _ => &self.mcp,
        };
        let service = service.clone().ok_or(Problem::UnknownPath)?;
        let answer = match service.oneshot(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        Ok((answer, ticket))
    }

    /// Begins a request of a caller. Whoever has no name is known by address, except on this machine.
    pub(super) fn admit(&self, caller: &Caller, peer: IpAddr) -> Result<Option<Ticket>, Problem> {
        let who = match (&caller.0, peer.to_canonical()) {
            (Some(name), _) => name.clone(),
            (None, peer) if peer.is_loopback() => return Ok(None),
            (None, IpAddr::V4(peer)) => format!("address:{peer}"),
            // One network has as many addresses as it likes.
            (None, IpAddr::V6(peer)) => format!("address:{:x?}", &peer.segments()[..4]),
        };
        let admitted = self.quotas.admit(&who);
        admitted
            .map(Some)
            .map_err(|exceeded| Problem::Exceeded(exceeded.what, exceeded.wait))
    }

    fn denied(&self, denied: &Denied, form: Form) -> Response<Body> {
        tracing::info!(reason = denied.message(), "not let in");
        let mut response = answer::formed(form, denied.status(), denied.message());
        if *denied != Denied::Unavailable
            && let Ok(challenge) = HeaderValue::from_str(&self.authenticator.challenge(denied))
        {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }

    async fn metrics(&self) -> Response<Body> {
        let (gauges, metrics) = (self.gauges.clone(), self.metrics.clone());
        let text = tokio::task::spawn_blocking(move || metrics.render(gauges.levels())).await;
        match text {
            Ok(text) => answer::text(StatusCode::OK, &text),
            Err(_) => answer::error(StatusCode::INTERNAL_SERVER_ERROR, "internal error", None),
        }
    }

    fn resource_metadata(&self) -> Result<Response<Body>, Problem> {
        let metadata: Value = self.authenticator.metadata().ok_or(Problem::UnknownPath)?;
        Ok(answer::document(StatusCode::OK, &metadata))
    }

    /// The answer to a browser that asks whether a page of an allowed origin may call.
    fn preflight(&self, parts: &Parts) -> Option<Response<Body>> {
        let asked = parts.method == Method::OPTIONS && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !asked || self.names.cross_origin(&parts.headers).is_none() {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(
            ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET, POST, DELETE"),
        );
        headers.insert(
            ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static(
                "authorization, content-type, accept, range, if-range, last-event-id, mcp-session-id, mcp-protocol-version, mcp-method, mcp-name",
            ),
        );
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        Some(response)
    }
}

/// Lets pages of one origin read an answer.
fn share(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(VARY, HeaderValue::from_static("origin"));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "mcp-session-id, www-authenticate, x-request-id, retry-after, accept-ranges, content-range, etag",
        ),
    );
}

/// Random, so that nobody learns how many requests there are.
pub(super) fn request_id() -> String {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => hex(&bytes),
        Err(_) => "unknown".into(),
    }
}

/// What comes of some work, or nothing if it panics: one request must not end a connection that others may use next.
pub(super) async fn caught<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Some),
        Err(_) => std::task::Poll::Ready(None),
    })
    .await
}
