//! Its HTTP server: `/mcp` with sessions, or without any.
//!
//! A session here is the identifier a client got from `initialize`: its log level, its files, and one stream on which nothing
//! comes, because the lines of a run come with its answer and so never to somebody else.

use super::handler::Handler;
use crate::auth::Caller;
use crate::commands::serve::edge::config;
use crate::commands::serve::ended_by_signal;
use crate::http::{Kept, Refusals, Routes};
use crate::server::connections::ConnectionId;
use crate::server::handler::SESSION_HEADER;
use crate::server::sessions::Who;
use crate::server::{endpoint_with, not_a_message};
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http_body::Frame;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Sessions at the same time; the one used longest ago goes first.
const MOST: usize = 4096;

const REFUSALS: Refusals = Refusals {
    path: Some("Page not found\n"),
    method: Some("Method not allowed\n"),
    artifacts: false,
};

/// The server in which every request stands alone.
pub(super) fn stateless(handler: Handler) -> Routes {
    routes(endpoint(handler))
}

/// The server with sessions.
pub(super) fn stateful(handler: Handler) -> Routes {
    let gate = Gate {
        handler: handler.clone(),
        sessions: Arc::default(),
        // Nobody's answer is on these streams, so that a server which is to stop need not wait for them.
        stopped: ended_by_signal(),
    };
    routes(endpoint(handler).layer(from_fn_with_state(gate, pass)))
}

fn endpoint(handler: Handler) -> Router {
    // Every answer is a stream of events, which begins with the answer's own.
    endpoint_with(handler, config().with_json_response(false).with_sse_retry(None))
}

fn routes(mcp: Router) -> Routes {
    Routes {
        artifacts: Kept::Nowhere,
        refusals: REFUSALS,
        ..Routes::of(mcp)
    }
}

#[derive(Clone)]
struct Gate {
    handler: Handler,
    sessions: Arc<Mutex<Sessions>>,
    /// Fires when the server is to stop.
    stopped: CancellationToken,
}

#[derive(Default)]
struct Sessions {
    clock: u64,
    open: HashMap<ConnectionId, Session>,
}

struct Session {
    used: u64,
    owner: Option<String>,
    /// Ends when the session does.
    end: CancellationToken,
    streaming: Arc<()>,
}

impl Sessions {
    /// Whether there is such a session of this caller, who uses it by this.
    fn is_used(&mut self, id: &ConnectionId, owner: &Option<String>) -> bool {
        self.clock += 1;
        let session = self.open.get_mut(id).filter(|session| session.owner == *owner);
        session.map(|session| session.used = self.clock).is_some()
    }

    /// Remembers a session; the one that makes room for it, if there are too many.
    fn open(
        &mut self,
        id: ConnectionId,
        owner: Option<String>,
        end: CancellationToken,
    ) -> Option<(ConnectionId, Session)> {
        let oldest = match self.open.len() >= MOST {
            true => self.open.iter().min_by_key(|(_, session)| session.used),
            false => None,
        };
        let oldest = oldest.map(|(id, _)| id.clone());
        let gone = oldest.and_then(|id| self.open.remove_entry(&id));
        self.clock += 1;
        let session = Session {
            used: self.clock,
            owner,
            end,
            streaming: Arc::default(),
        };
        self.open.insert(id, session);
        gone
    }
}

/// What a request may do.
enum Passage {
    Open,
    Known(ConnectionId),
    Refused(Response),
}

async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let owner = request.extensions().get::<Caller>().and_then(|caller| caller.0.clone());
    let (request, passage) = gate.judge(request, &owner).await;
    let (connection, is_new) = match passage {
        Passage::Refused(response) => return response,
        Passage::Known(connection) if request.method() == Method::GET => return gate.stream(&connection, &request),
        Passage::Known(connection) if request.method() == Method::DELETE => return gate.close(connection),
        Passage::Known(connection) => (connection, false),
        Passage::Open => match ConnectionId::mint() {
            Some(connection) => (connection, true),
            None => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        },
    };
    let mut response = next.run(request).await;
    if response.status().is_success() {
        if let Ok(value) = HeaderValue::from_str(connection.as_str()) {
            response.headers_mut().insert(SESSION_HEADER, value);
        }
        // One that was there may have been ended meanwhile.
        if is_new {
            gate.open(connection, owner);
        }
    }
    response
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn judge(&self, request: Request, owner: &Option<String>) -> (Request, Passage) {
        let header = request.headers().get(SESSION_HEADER);
        let named = header.is_some();
        let known = header
            .and_then(|value| value.to_str().ok())
            .and_then(ConnectionId::parse)
            .filter(|id| self.lock().is_used(id, owner));
        if let Some(known) = known {
            return (request, Passage::Known(known));
        }
        if request.method() != Method::POST {
            let text = "Invalid or missing session ID\n";
            return (
                request,
                Passage::Refused((StatusCode::BAD_REQUEST, text).into_response()),
            );
        }
        let (parts, body) = request.into_parts();
        // The edge has bounded it.
        let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
            return (
                Request::from_parts(parts, Body::empty()),
                Passage::Refused(not_a_message()),
            );
        };
        let passage = match serde_json::from_slice::<Value>(&bytes) {
            Err(_) => Passage::Refused(not_a_message()),
            Ok(message) if !named && message["method"] == "initialize" => Passage::Open,
            Ok(_) => Passage::Refused(error(
                StatusCode::BAD_REQUEST,
                "Bad Request: No valid session ID provided",
            )),
        };
        (Request::from_parts(parts, Body::from(bytes)), passage)
    }

    fn open(&self, connection: ConnectionId, owner: Option<String>) {
        let gone = self.lock().open(connection, owner, self.stopped.child_token());
        if let Some((connection, session)) = gone {
            self.end(connection, session);
        }
    }

    fn close(&self, connection: ConnectionId) -> Response {
        let session = self.lock().open.remove(&connection);
        if let Some(session) = session {
            self.end(connection, session);
        }
        StatusCode::OK.into_response()
    }

    /// Ends a session with its files, for which nobody waits.
    fn end(&self, connection: ConnectionId, session: Session) {
        session.end.cancel();
        let (handler, owner) = (self.handler.clone(), session.owner);
        tokio::task::spawn_blocking(move || handler.end(&Who { owner, group: None }, &connection));
    }

    /// The stream for what belongs to no request, which stays empty until the session ends.
    fn stream(&self, connection: &ConnectionId, request: &Request) -> Response {
        let accepted = request
            .headers()
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok());
        if !accepted.is_some_and(|accept| accept.contains("text/event-stream")) {
            return error(
                StatusCode::NOT_ACCEPTABLE,
                "Not Acceptable: Client must accept text/event-stream",
            );
        }
        let sessions = self.lock();
        let Some(session) = sessions.open.get(connection) else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        if Arc::strong_count(&session.streaming) > 1 {
            return error(
                StatusCode::CONFLICT,
                "Conflict: Only one SSE stream is allowed per session",
            );
        }
        let body = Silence {
            end: Box::pin(session.end.clone().cancelled_owned()),
            _held: Arc::clone(&session.streaming),
        };
        let headers = [
            (header::CONTENT_TYPE.as_str(), "text/event-stream"),
            (header::CACHE_CONTROL.as_str(), "no-cache, no-transform"),
            (SESSION_HEADER, connection.as_str()),
        ];
        (headers, Body::new(body)).into_response()
    }
}

fn error(status: StatusCode, message: &str) -> Response {
    let error = json!({ "jsonrpc": "2.0", "error": { "code": -32000, "message": message }, "id": null });
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (status, headers, error.to_string()).into_response()
}

/// A body without content that ends some time.
struct Silence {
    end: Pin<Box<WaitForCancellationFutureOwned>>,
    _held: Arc<()>,
}

impl HttpBody for Silence {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        ready!(self.end.as_mut().poll(cx));
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_used_longest_ago_makes_room_and_is_ended() {
        let mut sessions = Sessions::default();
        let id = |at: usize| ConnectionId::Http(at.to_string());
        let alice = Some("alice".to_owned());
        for at in 0..MOST {
            assert!(sessions.open(id(at), alice.clone(), CancellationToken::new()).is_none());
        }
        assert!(sessions.is_used(&id(0), &alice));
        assert!(!sessions.is_used(&id(1), &None) && !sessions.is_used(&id(MOST), &alice));
        let (gone, session) = sessions
            .open(id(MOST), None, CancellationToken::new())
            .expect("one too many");
        assert_eq!((gone, session.owner), (id(1), alice.clone()));
        assert_eq!(sessions.open.len(), MOST);
        assert!(sessions.is_used(&id(0), &alice) && sessions.is_used(&id(MOST), &None));
    }
}
