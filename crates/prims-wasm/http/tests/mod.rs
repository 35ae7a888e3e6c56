//! The edge over real sockets. Where the MCP service will be there is a small one that does what a request says, and for what is
//! up to the protocol, the library's own with nothing behind it.

mod bodies;
mod callers;
mod ending;
mod files;
mod names;
mod slow;

use super::{Artifact, Artifacts, Gauges, Levels, Metrics, NoArtifact, Phase, Readiness, Server, Service};
use crate::auth::Caller;
use crate::settings::Settings;
use axum::body::{Body, Bytes};
use axum::extract::Extension;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// Long enough for a busy machine; reached only by a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// What happened behind the edge.
#[derive(Clone, Default)]
struct Seen {
    started: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
}

impl Seen {
    fn started(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }

    async fn until_dropped(&self, count: usize) {
        until(|| self.dropped.load(Ordering::SeqCst) >= count).await;
    }
}

async fn until(condition: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !condition() {
        assert!(tokio::time::Instant::now() < deadline, "it did not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Stands where the MCP service will be.
async fn perform(seen: Seen, caller: Caller, body: Bytes) -> Response {
    seen.started.fetch_add(1, Ordering::SeqCst);
    let dropped = seen.dropped.clone();
    let _dropped = super::held::OnDrop::new(move || {
        dropped.fetch_add(1, Ordering::SeqCst);
    });
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    match asked["do"].as_str() {
        Some("panic") => panic!("as asked"),
        Some("hang") => std::future::pending().await,
        Some("wait") => {
            tokio::time::sleep(Duration::from_millis(asked["ms"].as_u64().unwrap_or(300))).await;
            Json(json!({"waited": true})).into_response()
        }
        Some("count") => Json(json!({"started": seen.started()})).into_response(),
        Some("flood") => super::held::body(Body::new(Flood), _dropped).into_response(),
        _ => Json(json!({"caller": caller.0, "bytes": body.len()})).into_response(),
    }
}

/// A body without end.
struct Flood;

impl axum::body::HttpBody for Flood {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::from_static(&[b'x'; 4096])))))
    }
}

impl Gauges for Seen {
    fn levels(&self) -> Levels {
        Levels {
            queued: 1,
            running: 2,
            sessions: 3,
            cache_bytes: 4,
        }
    }
}

/// One session with some files.
struct Shelf(tempfile::TempDir);

impl Artifacts for Shelf {
    fn open(&self, caller: &Caller, session: &str, path: &str) -> Result<Artifact, NoArtifact> {
        if session != "s3ss10n" || caller.0.as_deref().is_some_and(|name| name != "token:alice") {
            return Err(NoArtifact::NotFound);
        }
        if path == "forbidden" {
            return Err(NoArtifact::Forbidden);
        }
        let file = std::fs::File::open(self.0.path().join(path)).map_err(|_| NoArtifact::NotFound)?;
        let data = file.metadata().map_err(|_| NoArtifact::Failed)?;
        if data.is_dir() {
            return Err(NoArtifact::NotAFile);
        }
        Ok(Artifact {
            file,
            length: data.len(),
            mime: "text/html".into(),
            tag: None,
        })
    }
}

fn shelf() -> Arc<dyn Artifacts> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    std::fs::write(folder.path().join("folder/page.html"), "<script>alert(1)</script>").unwrap();
    std::fs::write(folder.path().join("large.bin"), vec![7; 300_000]).unwrap();
    Arc::new(Shelf(folder))
}

fn settings(flags: &[(&'static str, &str)]) -> Settings {
    Settings::of(&[&[("port", "0")], flags].concat())
}

/// A server in this process.
struct Running {
    address: SocketAddr,
    seen: Seen,
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
    abandon: CancellationToken,
    stop: CancellationToken,
    served: tokio::task::JoinHandle<()>,
}

async fn start(flags: &[(&'static str, &str)]) -> Running {
    let seen = Seen::default();
    let for_service = seen.clone();
    let mcp = Router::new().route(
        "/mcp",
        any(move |Extension(caller): Extension<Caller>, body: Bytes| perform(for_service.clone(), caller, body)),
    );
    start_with(flags, mcp, seen).await
}

async fn start_with(flags: &[(&'static str, &str)], mcp: Router, seen: Seen) -> Running {
    let (metrics, readiness, abandon) = (Metrics::new().unwrap(), Readiness::starting(), CancellationToken::new());
    let service = Service {
        refusals: Default::default(),
        mcp: Some(mcp),
        rest: None,
        grpc: None,
        artifacts: Some(shelf()),
        gauges: Arc::new(seen.clone()),
        metrics: metrics.clone(),
        readiness: readiness.clone(),
        abandon: abandon.clone(),
    };
    let server = Server::bind(&settings(flags), service).await.unwrap();
    let (address, stop) = (server.address(), CancellationToken::new());
    let stopped = stop.clone();
    let served = tokio::spawn(async move { server.serve(stopped.cancelled_owned()).await });
    Running {
        address,
        seen,
        metrics,
        readiness,
        abandon,
        stop,
        served,
    }
}

/// An answer as it came.
#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

/// Sends bytes and reads until the server closes, or until an answer of known length is there.
async fn exchange(address: SocketAddr, request: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may answer and close before it has read all.
    let _ = stream.write_all(request).await;
    reply(&mut stream).await
}

async fn reply(stream: &mut TcpStream) -> Reply {
    let read = tokio::time::timeout(PATIENCE, read_reply(stream)).await;
    read.expect("no answer in time")
}

async fn read_reply(stream: &mut TcpStream) -> Reply {
    let (mut bytes, mut piece) = (vec![], [0; 65536]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_ascii_lowercase();
            let length = length
                .split("content-length: ")
                .nth(1)
                .and_then(|rest| rest.lines().next()?.parse().ok());
            if length.is_some_and(|length: usize| body.len() >= length) || head.starts_with("HTTP/1.1 204") {
                return parsed(head, body);
            }
        }
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => {
                let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
                return parsed(head, body);
            }
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
        }
    }
}

/// Status 0 if there was no answer.
fn parsed(head: &str, body: &str) -> Reply {
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    Reply {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

/// A POST to `/mcp` with more headers.
fn post(headers: &str, body: &str) -> Vec<u8> {
    let host = if headers.to_ascii_lowercase().contains("host:") {
        ""
    } else {
        "host: localhost\r\n"
    };
    let kind = if headers.to_ascii_lowercase().contains("content-type:") {
        ""
    } else {
        "content-type: application/json\r\n"
    };
    let mut request = vec![];
    write!(
        request,
        "POST /mcp HTTP/1.1\r\n{host}{kind}{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    request
}

async fn get(address: SocketAddr, path: &str, headers: &str) -> Reply {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
    exchange(address, request.as_bytes()).await
}
