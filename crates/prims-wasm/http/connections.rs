//! Accepting connections: how many at a time, which ones go first when there are too many, and how they end when the server does.

use super::held::OnDrop;
use super::timed::{Progress, Timed, Times};
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Bytes of a request's head.
const MAX_HEAD: usize = 16 << 10;
/// Headers of a request.
const MAX_HEADERS: usize = 64;
/// When no descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// For the answers of what was cancelled.
const ABANDON_TIME: Duration = Duration::from_millis(500);
/// Descriptors that connections leave to everything else.
const SPARE_DESCRIPTORS: u64 = 64;

/// Requests at a time on one connection of HTTP/2.
const MAX_STREAMS: u32 = 64;
/// Between two questions whether the other side of a connection of HTTP/2 is there, and for its answer.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    /// HTTP/2, which both sides know beforehand.
    Http2,
}

/// What connections may do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) protocol: Protocol,
    pub(super) times: Times,
    pub(super) connections: usize,
    /// How long requests may take to end after the server was asked to.
    pub(super) drain: Duration,
}

impl Bounds {
    /// No more connections than the system's limit of open files leaves room for.
    pub(super) fn within_system(self, listeners: usize) -> Bounds {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        // A request may need a file of its own.
        let room = limit.unwrap_or(u64::MAX).saturating_sub(SPARE_DESCRIPTORS) / 2;
        let room = (usize::try_from(room).unwrap_or(usize::MAX) / listeners).max(8);
        Bounds {
            connections: self.connections.min(room),
            ..self
        }
    }
}

/// The living connections, oldest first.
#[derive(Default)]
struct Register {
    next: u64,
    living: BTreeMap<u64, (Arc<Progress>, CancellationToken)>,
}

impl Register {
    /// Ends the oldest connection that never asked for anything, else the oldest that is idle. Those who open connections and say
    /// nothing push each other out, and nobody else.
    fn evict(&mut self) -> bool {
        let living = || self.living.iter();
        let new = living().find(|(_, (progress, _))| progress.is_new());
        let found = new.or_else(|| living().find(|(_, (progress, _))| progress.is_idle()));
        let Some(number) = found.map(|(number, _)| *number) else {
            return false;
        };
        if let Some((_, end)) = self.living.remove(&number) {
            end.cancel();
        }
        true
    }
}

/// Answers one request.
pub(super) trait Answer: Clone + Send + Sync + 'static {
    fn answer(
        &self,
        peer: SocketAddr,
        progress: Arc<Progress>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Body>> + Send;
}

/// Serves until `stop`, then lets requests end within their time. Returns when all connections are gone.
pub(super) async fn serve(
    listener: TcpListener,
    bounds: Bounds,
    answer: impl Answer,
    stop: impl Future<Output = ()>,
    abandon: &CancellationToken,
) {
    let register = Arc::new(Mutex::new(Register::default()));
    let draining = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            Some(_) = tasks.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, or a connection that was gone before it was accepted.
                tracing::warn!(%error, "cannot accept a connection");
                lock(&register).evict();
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some((number, progress, end)) = admit(&register, bounds.connections) else {
            continue;
        };
        let (answer, draining, register) = (answer.clone(), draining.clone(), register.clone());
        let gone = OnDrop::new(move || drop(lock(&register).living.remove(&number)));
        tasks.spawn(async move {
            let _gone = gone;
            connection(stream, peer, bounds, progress, answer, draining, end).await;
        });
    }
    drop(listener);
    draining.cancel();
    if !ended(&mut tasks, bounds.drain).await {
        tracing::warn!(
            connections = tasks.len(),
            "requests did not end in time and are cancelled"
        );
        abandon.cancel();
        ended(&mut tasks, ABANDON_TIME).await;
    }
    tasks.shutdown().await;
}

/// Whether all ended within a time.
async fn ended(tasks: &mut JoinSet<()>, time: Duration) -> bool {
    let all = async { while tasks.join_next().await.is_some() {} };
    tokio::time::timeout(time, all).await.is_ok()
}

fn lock(register: &Mutex<Register>) -> std::sync::MutexGuard<'_, Register> {
    register.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place for a new connection, if there is one or one can be made.
fn admit(register: &Mutex<Register>, most: usize) -> Option<(u64, Arc<Progress>, CancellationToken)> {
    let mut register = lock(register);
    if register.living.len() >= most && !register.evict() {
        return None;
    }
    let (number, progress, end) = (register.next, Arc::new(Progress::default()), CancellationToken::new());
    register.next += 1;
    register.living.insert(number, (progress.clone(), end.clone()));
    Some((number, progress, end))
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    bounds: Bounds,
    progress: Arc<Progress>,
    answer: impl Answer,
    draining: CancellationToken,
    end: CancellationToken,
) {
    let _ = stream.set_nodelay(true);
    let times = bounds.times;
    let io = TokioIo::new(Timed::new(stream, times, progress.clone()));
    let service = service_fn(move |request| {
        let (answer, progress) = (answer.clone(), progress.clone());
        async move { Ok::<_, Infallible>(answer.answer(peer, progress, request).await) }
    });
    match bounds.protocol {
        Protocol::Http1 => {
            let connection = http1::Builder::new()
                .max_headers(MAX_HEADERS)
                .max_buf_size(MAX_HEAD)
                // `Timed` is stricter. With this, idle connections are read from, which is where it counts time.
                .timer(TokioTimer::new())
                .header_read_timeout(times.header + times.idle)
                .serve_connection(io, service);
            driven(connection, |connection| connection.graceful_shutdown(), draining, end).await;
        }
        Protocol::Http2 => {
            let connection = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_concurrent_streams(MAX_STREAMS)
                .max_header_list_size(MAX_HEAD as u32)
                .keep_alive_interval(KEEP_ALIVE)
                .keep_alive_timeout(KEEP_ALIVE)
                .serve_connection(io, service);
            driven(connection, |connection| connection.graceful_shutdown(), draining, end).await;
        }
    }
}

/// A connection until it ends: by itself, at once, or after the requests that are in progress.
async fn driven<C: Future<Output = Result<(), hyper::Error>>>(
    connection: C,
    finish: impl FnOnce(Pin<&mut C>),
    draining: CancellationToken,
    end: CancellationToken,
) {
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        result = connection.as_mut() => return log(result),
        () = end.cancelled() => return,
        () = draining.cancelled() => finish(connection.as_mut()),
    }
    tokio::select! {
        result = connection.as_mut() => log(result),
        () = end.cancelled() => {}
    }
}

fn log(result: Result<(), hyper::Error>) {
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_listeners_together_stay_within_the_system() {
        let asked = Bounds {
            times: Times {
                header: Duration::ZERO,
                idle: Duration::ZERO,
                write: Duration::ZERO,
            },
            connections: usize::MAX,
            drain: Duration::ZERO,
            protocol: Protocol::Http1,
        };
        let [alone, each] = [1, 2].map(|listeners| asked.within_system(listeners).connections);
        assert!(each == (alone / 2).max(8) && alone < usize::MAX, "{alone} {each}");
    }
}
