//! Where the service meets the HTTP edge: metrics, fetching, artifacts.

use super::Program;
use crate::auth::Caller;
use crate::fetch;
use crate::http::{self, Artifact, Artifacts, Gauges, Levels, Metrics, NoArtifact, Phase};
use crate::server::{self, AppState, FetchError, Fetched, Fetching, RunFacts, endpoint, endpoint_of, service as mcp};
use axum::Router;
use prims_cache::Cache;
use rmcp::ServerHandler;
use rmcp::transport::StreamableHttpServerConfig;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What the edge stands in front of.
pub(super) fn service(program: &Program, abandon: CancellationToken) -> http::Service {
    // Who may connect, and how much they may send, is decided before a request comes here.
    let config = StreamableHttpServerConfig::default().disable_allowed_hosts();
    let levels = Levelled {
        state: program.state.clone(),
        cache: program.cache.clone(),
    };
    http::Service {
        mcp: endpoint(mcp(program.state.clone()), config),
        rest: None,
        grpc: None,
        artifacts: Some(Arc::new(Kept(program.state.clone()))),
        gauges: Arc::new(levels),
        metrics: program.metrics.clone(),
        readiness: program.readiness.clone(),
        abandon,
    }
}

/// Another MCP service behind the same edge.
pub(super) fn mcp_of(handler: impl ServerHandler + Clone, program: &Program) -> Router {
    let config = StreamableHttpServerConfig::default().disable_allowed_hosts();
    endpoint_of(handler, program.state.clone(), config)
}

/// Counts runs.
pub(super) struct Observer(pub(super) Arc<Metrics>);

impl server::Observer for Observer {
    fn finished(&self, facts: &RunFacts) {
        let phases = [
            (Phase::Queue, facts.queue),
            (Phase::Prepare, facts.prepare),
            (Phase::Start, facts.start),
            (Phase::Run, facts.run),
        ];
        self.0.run_ended(facts.status, &phases);
        tracing::info!(
            status = facts.status,
            queue_ms = facts.queue.as_secs_f64() * 1e3,
            prepare_ms = facts.prepare.as_secs_f64() * 1e3,
            run_ms = facts.run.as_secs_f64() * 1e3,
            fuel = facts.fuel,
            peak_memory = facts.peak_memory,
            "run"
        );
    }
}

struct Levelled {
    state: AppState,
    cache: Cache,
}

impl Gauges for Levelled {
    fn levels(&self) -> Levels {
        let cache_bytes = self
            .cache
            .info()
            .map(|info| info.kinds.iter().map(|kind| kind.bytes).sum());
        Levels {
            queued: self.state.queued() as u64,
            running: self.state.running() as u64,
            sessions: self.state.session_count() as u64,
            cache_bytes: cache_bytes.unwrap_or_default(),
        }
    }
}

/// The guarded fetcher, as the service wants it.
pub(super) struct Guarded(pub(super) fetch::Fetcher);

impl server::Fetcher for Guarded {
    fn get(&self, url: &str, max_bytes: u64) -> Fetching<Fetched> {
        let (fetcher, url) = (self.0.clone(), url.to_owned());
        Box::pin(async move {
            let fetched = fetcher.get(&url, max_bytes).await.map_err(told)?;
            Ok(Fetched {
                bytes: fetched.bytes.to_vec(),
                mime: fetched.mime,
            })
        })
    }

    fn put(&self, url: &str, bytes: Vec<u8>) -> Fetching<u16> {
        let (fetcher, url) = (self.0.clone(), url.to_owned());
        Box::pin(async move { fetcher.put(&url, bytes.into()).await.map_err(told) })
    }
}

fn told(error: fetch::FetchError) -> FetchError {
    FetchError {
        message: error.to_string(),
        hint: error.hint().map(str::to_owned),
    }
}

/// Files of sessions, for downloads.
struct Kept(AppState);

impl Artifacts for Kept {
    fn open(&self, caller: &Caller, session: &str, path: &str) -> Result<Artifact, NoArtifact> {
        self.0.artifact(caller.0.clone(), session, path)
    }
}
