//! The way of a request of gRPC: the same questions as for any other, and answers that its clients understand.

use super::answer::Problem;
use super::authority::Names;
use super::body::{Bodies, Taken};
use super::connections::{Answer, Bounds, Protocol};
use super::edge::{Edge, caught, request_id};
use super::timed::{Progress, Times};
use super::{Error, Grpc, held, listen};
use crate::auth::Denied;
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::HOST;
use axum::http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use hyper::body::Incoming;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::time::{Sleep, sleep};
use tonic::{Code, Status};
use tower::ServiceExt;
use tracing::Instrument;

/// Methods that describe the others; they are asked in streams.
const REFLECTION: &str = "/grpc.reflection.";
/// How long such a stream may ask.
const REFLECTION_TIME: Duration = Duration::from_secs(60);

/// What requests of gRPC are judged by and answered from.
#[derive(Clone)]
pub(super) struct GrpcEdge {
    names: Names,
    edge: Arc<Edge>,
    methods: Router,
}

impl GrpcEdge {
    /// Listens.
    pub(super) fn bind(grpc: Grpc, names: Names, edge: Arc<Edge>) -> Result<(TcpListener, GrpcEdge), Error> {
        let address = grpc.address;
        let failed = |source| Error::Bind { address, source };
        let listener = listen(address).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let edge = GrpcEdge {
            names: names.on_port(port),
            edge,
            methods: grpc.methods,
        };
        Ok((listener, edge))
    }

    async fn judge(&self, peer: SocketAddr, request: Request<Incoming>) -> Result<Response<Body>, Status> {
        let (mut parts, body) = request.into_parts();
        // In HTTP/2 the name is a part of the address.
        if let Some(authority) = parts.uri.authority()
            && let Ok(host) = HeaderValue::from_str(authority.as_str())
        {
            parts.headers.entry(HOST).or_insert(host);
        }
        self.names.check(&parts.uri, &parts.headers).map_err(|_| {
            Status::permission_denied(
                "this server is not known by this name; an operator can allow it with --allowed-hosts",
            )
        })?;
        let caller = self.edge.authenticator.caller(&parts.headers).await;
        let caller = caller.map_err(|denied| not_let_in(&denied))?;
        let ticket = self
            .edge
            .admit(&caller, peer.ip())
            .map_err(|problem| refused(&problem))?;
        parts.extensions.insert(caller);
        let (body, taken) = if parts.uri.path().starts_with(REFLECTION) {
            (Body::new(Ending::new(body)), None)
        } else {
            let taken = whole(&self.edge.bodies, Body::new(body)).await?;
            (Body::from(taken.bytes.clone()), Some(taken))
        };
        let answer = match self.methods.clone().oneshot(Request::from_parts(parts, body)).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        drop(taken);
        Ok(answer.map(|body| held::body(body, ticket)))
    }
}

fn not_let_in(denied: &Denied) -> Status {
    let code = match denied {
        Denied::Missing | Denied::Invalid(_) => Code::Unauthenticated,
        Denied::Scope => Code::PermissionDenied,
        Denied::Unavailable => Code::Unavailable,
    };
    Status::new(code, denied.message())
}

/// A message, which is all there is in the body.
async fn whole(bodies: &Bodies, body: Body) -> Result<Taken, Status> {
    bodies
        .take(super::body::Kind::Bytes, body)
        .await
        .map_err(|problem| refused(&problem))
}

fn refused(problem: &Problem) -> Status {
    let code = match problem.status() {
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::TOO_MANY_REQUESTS => Code::ResourceExhausted,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        StatusCode::REQUEST_TIMEOUT => Code::DeadlineExceeded,
        _ => Code::InvalidArgument,
    };
    Status::new(code, problem.message())
}

impl Answer for GrpcEdge {
    async fn answer(&self, peer: SocketAddr, progress: Arc<Progress>, request: Request<Incoming>) -> Response<Body> {
        progress.start();
        let ended = held::OnDrop::new(move || progress.end());
        let (began, id) = (Instant::now(), request_id());
        let span = tracing::info_span!("request", id = %id, route = "grpc");
        let judged = caught(self.judge(peer, request)).instrument(span.clone()).await;
        let _inside = span.enter();
        let judged = judged.unwrap_or_else(|| {
            tracing::error!("a handler panicked");
            Err(Status::internal(format!("internal error, incident {id}")))
        });
        let mut response = judged.unwrap_or_else(|status| status.into_http());
        if let Ok(id) = HeaderValue::from_str(&id) {
            response
                .headers_mut()
                .insert(HeaderName::from_static("x-request-id"), id);
        }
        self.edge.metrics.request_answered(response.status().as_u16());
        let ms = (began.elapsed().as_secs_f64() * 1e6).round() / 1e3;
        tracing::info!(ms, "answered");
        response.map(|body| held::body(body, ended))
    }
}

/// The bounds of connections on which many requests go at the same time: they are idle only when none is under way, and frames
/// without requests are no beginning of one.
pub(super) fn bounds(bounds: Bounds) -> Bounds {
    Bounds {
        times: Times {
            header: bounds.times.idle,
            ..bounds.times
        },
        protocol: Protocol::Http2,
        ..bounds
    }
}

/// A body that ends after a time.
struct Ending {
    body: Incoming,
    end: Pin<Box<Sleep>>,
}

impl Ending {
    fn new(body: Incoming) -> Ending {
        Ending {
            body,
            end: Box::pin(sleep(REFLECTION_TIME)),
        }
    }
}

impl HttpBody for Ending {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if self.end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_learn_whether_another_token_or_another_attempt_helps() {
        for (denied, code) in [
            (Denied::Missing, Code::Unauthenticated),
            (Denied::Invalid("the token is not known"), Code::Unauthenticated),
            (Denied::Scope, Code::PermissionDenied),
            (Denied::Unavailable, Code::Unavailable),
        ] {
            let status = not_let_in(&denied);
            assert_eq!((status.code(), status.message()), (code, denied.message()));
        }
    }
}
