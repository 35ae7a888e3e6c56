//! The HTTP edge: everything between a socket and the service that speaks MCP.
//!
//! [`Server`] takes any [`Router`] that answers at `/mcp` and lets only requests reach it that are for this server (`Host`), from
//! pages that may call it (`Origin`), of callers it knows ([`crate::auth`]), in sizes and at rates it can bear. In this order, and
//! before a body is read. It adds `/healthz` (the process is alive), `/readyz` (runs can begin), `/metrics` (Prometheus),
//! `/artifacts/…` and the metadata of the protected resource. REST can stand beside it, and gRPC on a port of its own. Connections
//! have times and a number.
//!
//! It listens on the loopback interface. Other addresses need a way to know callers, or the word that nobody shall be asked.

mod answer;
mod artifacts;
mod authority;
mod body;
mod connections;
mod edge;
mod grpc;
mod held;
pub mod log;
mod metrics;
mod ranges;
mod timed;

pub(crate) use artifacts::download;
pub use artifacts::{Artifact, Artifacts, NoArtifact};
pub use metrics::{Gauges, Levels, Metrics, Phase};

use crate::auth::{Authenticator, Quotas};
use crate::settings::{ServerSettings, Settings};
use authority::{BadName, Names};
use axum::Router;
use axum::http::StatusCode;
use body::Bodies;
use connections::{Bounds, Protocol};
use edge::Edge;
use grpc::GrpcEdge;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use timed::Times;
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;
use url::Url;

/// Connections the system may hold until they are accepted; a burst beyond it waits a second for its next attempt.
const BACKLOG: u32 = 1024;

/// A server that cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Everybody on the network could run code.
    #[error("`{host}` is reachable from other machines and callers are not asked who they are")]
    Exposed {
        /// The address to listen on.
        host: IpAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// An allowed host is no host.
    #[error("`{0}` is not a host, expected for example prims.example or prims.example:8443")]
    Host(String),
    /// An allowed origin is no origin.
    #[error("`{0}` is not an origin, expected for example https://app.example")]
    Origin(String),
    /// Callers cannot be told apart.
    #[error(transparent)]
    Auth(#[from] crate::auth::Error),
    /// The server would have no address that clients could use.
    #[error("`{0}` cannot be the address of this server")]
    PublicUrl(Url),
    /// The metrics cannot be set up.
    #[error("cannot set up the metrics")]
    Metrics(#[from] prometheus::Error),
}

impl Error {
    /// What to do about it, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Exposed { .. } => Some(
                "set --auth-token-file or --oauth-issuer, or say --allow-unauthenticated if something in front of it asks"
                    .into(),
            ),
            Error::Bind { .. } => Some("choose another --port, or 0 for any free one".into()),
            Error::Auth(error) => error.hint(),
            _ => None,
        }
    }
}

/// Whether runs can begin.
#[derive(Debug)]
pub struct Readiness(AtomicU8);

impl Readiness {
    const STARTING: u8 = 0;
    const READY: u8 = 1;
    const DRAINING: u8 = 2;

    /// Not yet.
    pub fn starting() -> Arc<Readiness> {
        Arc::new(Readiness(AtomicU8::new(Self::STARTING)))
    }

    /// The interpreter is there. Says nothing once the server is about to end.
    pub fn ready(&self) {
        let _ = self
            .0
            .compare_exchange(Self::STARTING, Self::READY, Ordering::SeqCst, Ordering::SeqCst);
    }

    #[cfg(test)]
    fn is_ready(&self) -> bool {
        self.0.load(Ordering::SeqCst) == Self::READY
    }

    fn draining(&self) {
        self.0.store(Self::DRAINING, Ordering::SeqCst);
    }

    fn answer(&self) -> axum::http::Response<axum::body::Body> {
        match self.0.load(Ordering::SeqCst) {
            Self::READY => answer::text(StatusCode::OK, "ready\n"),
            Self::DRAINING => answer::text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
            _ => answer::text(StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        }
    }
}

/// What a kind of server answers with.
pub struct Routes {
    /// See [`Service::mcp`].
    pub mcp: Option<Router>,
    /// See [`Service::rest`].
    pub rest: Option<Router>,
    /// See [`Service::grpc`].
    pub grpc: Option<Grpc>,
    /// Where `/artifacts` finds files.
    pub artifacts: Kept,
    /// How requests that lead nowhere are refused.
    pub refusals: Refusals,
}

impl Routes {
    /// The usual ones around an MCP endpoint.
    pub fn of(mcp: Router) -> Routes {
        Routes {
            mcp: Some(mcp),
            rest: None,
            grpc: None,
            artifacts: Kept::Handles,
            refusals: Refusals::default(),
        }
    }
}

/// Where `/artifacts` finds the files of a session.
pub enum Kept {
    /// Under its handle.
    Handles,
    /// Somebody else knows.
    Elsewhere(Arc<dyn Artifacts>),
    /// There is no such route.
    Nowhere,
}

/// How requests that lead nowhere are refused: with these texts, or as errors of MCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Refusals {
    /// For a path that leads nowhere.
    pub path: Option<&'static str>,
    /// For a method that the path does not have.
    pub method: Option<&'static str>,
    /// Whether errors of `/artifacts` are texts.
    pub artifacts: bool,
}

/// What the edge stands in front of.
pub struct Service {
    /// How requests that lead nowhere are refused.
    pub refusals: Refusals,
    /// Answers at `/mcp`; without it there is nothing there. Finds a [`crate::auth::Caller`] in the extensions of each request.
    pub mcp: Option<Router>,
    /// Answers at `/v1/…` and `/openapi.json`, in the form of services made with FastAPI; without it there is nothing there.
    pub rest: Option<Router>,
    /// Speaks gRPC on a port of its own.
    pub grpc: Option<Grpc>,
    /// Keeps files of sessions; without it there is no `/artifacts`.
    pub artifacts: Option<Arc<dyn Artifacts>>,
    /// Knows the levels for `/metrics`.
    pub gauges: Arc<dyn Gauges>,
    /// Counts; the service tells it about runs.
    pub metrics: Arc<Metrics>,
    /// Whether runs can begin.
    pub readiness: Arc<Readiness>,
    /// Cancelled when requests did not end in the time they have after the server was asked to stop.
    pub abandon: CancellationToken,
}

/// A gRPC service: unary methods, but for reflection.
pub struct Grpc {
    /// Where to listen.
    pub address: SocketAddr,
    /// Its methods, by path. They find a [`crate::auth::Caller`] in the extensions of each request.
    pub methods: Router,
}

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    grpc: Option<(TcpListener, GrpcEdge)>,
    bounds: Bounds,
    edge: Arc<Edge>,
    abandon: CancellationToken,
}

impl Server {
    /// Checks what is exposed to whom, and listens.
    pub async fn bind(settings: &Settings, service: Service) -> Result<Server, Error> {
        let server = &settings.server;
        let names = Names::new(server).map_err(|bad| match bad {
            BadName::Host(text) => Error::Host(text),
            BadName::Origin(text) => Error::Origin(text),
        })?;
        let asked = settings.auth.token_file.is_some() || settings.auth.oauth_issuer.is_some();
        let grpc_host = service.grpc.as_ref().map(|grpc| grpc.address.ip());
        let exposed = std::iter::once(server.host)
            .chain(grpc_host)
            .find(|host| !host.is_loopback());
        if let Some(host) = exposed
            && !asked
            && !server.allow_unauthenticated
        {
            return Err(Error::Exposed { host });
        }
        let address = SocketAddr::new(server.host, server.port);
        let failed = |source| Error::Bind { address, source };
        let listener = listen(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let edge = Arc::new(Edge {
            names: names.clone().on_port(address.port()),
            authenticator: Authenticator::new(&settings.auth, &endpoint(server, address)?)?,
            quotas: Quotas::new(&settings.auth),
            bodies: Bodies::new(server.max_body.as_usize(), server.body_timeout),
            mcp: service.mcp,
            rest: service.rest,
            refusals: service.refusals,
            artifacts: service.artifacts,
            gauges: service.gauges,
            metrics: service.metrics,
            readiness: service.readiness,
        });
        let grpc = match service.grpc {
            Some(grpc) => Some(GrpcEdge::bind(grpc, names, edge.clone())?),
            None => None,
        };
        Ok(Server {
            listener,
            address,
            bounds: bounds(server).within_system(1 + usize::from(grpc.is_some())),
            grpc,
            edge,
            abandon: service.abandon,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for gRPC, if it does.
    pub fn grpc_address(&self) -> Option<SocketAddr> {
        self.grpc.as_ref()?.0.local_addr().ok()
    }

    /// Answers requests until `stop`. Then no connection is accepted, requests have some time to end, and those that do not are
    /// cancelled.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let readiness = self.edge.readiness.clone();
        let stopped = CancellationToken::new();
        let (fire, too) = (stopped.clone(), stopped.clone());
        let stop = async move {
            stop.await;
            readiness.draining();
            fire.cancel();
        };
        if rustix::process::geteuid().is_root() {
            tracing::warn!("running as root, which nothing here needs");
        }
        tracing::info!(address = %self.address, connections = self.bounds.connections, "listening");
        let http = connections::serve(self.listener, self.bounds, self.edge, stop, &self.abandon);
        let grpc = async {
            if let Some((listener, edge)) = self.grpc {
                let bounds = grpc::bounds(self.bounds);
                connections::serve(listener, bounds, edge, too.cancelled_owned(), &self.abandon).await;
            }
        };
        tokio::join!(http, grpc);
        tracing::info!("stopped");
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    // A server that is started again need not wait until the connections of the last one are forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn bounds(server: &ServerSettings) -> Bounds {
    Bounds {
        times: Times {
            header: server.header_timeout,
            idle: server.idle_timeout,
            write: server.write_timeout,
        },
        connections: usize::try_from(server.max_connections).unwrap_or(usize::MAX).max(1),
        drain: server.drain_timeout,
        protocol: Protocol::Http1,
    }
}

/// The address of the MCP endpoint as clients know it.
fn endpoint(server: &ServerSettings, address: SocketAddr) -> Result<Url, Error> {
    if let Some(public) = &server.public_url {
        if !matches!(public.scheme(), "https" | "http") || public.query().is_some() {
            return Err(Error::PublicUrl(public.clone()));
        }
        let mut url = public.clone();
        let path = public.path().trim_end_matches('/');
        url.set_path(&format!("{}/mcp", path.strip_suffix("/mcp").unwrap_or(path)));
        return Ok(url);
    }
    let host = if address.ip().is_unspecified() {
        Ipv4Addr::LOCALHOST.into()
    } else {
        address.ip()
    };
    let text = format!("http://{}/mcp", SocketAddr::new(host, address.port()));
    // An address is always a host.
    Url::parse(&text).map_err(|_| Error::Host(text))
}

/// Comes when the process is asked to end: SIGTERM, or an interrupt from the keyboard. From the call on, neither ends it by itself.
/// To be called inside of a runtime.
pub fn stop_signal() -> impl Future<Output = ()> + Send {
    use tokio::signal::unix::{SignalKind, signal};
    let handlers = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        // Without handlers the signals do what they do by default.
        let (Ok(mut terminate), Ok(mut interrupt)) = handlers else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests;
