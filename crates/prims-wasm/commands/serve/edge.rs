//! Where the service meets the HTTP edge: metrics, fetching, artifacts.

use super::Program;
use crate::auth::Caller;
use crate::fetch;
use crate::http::{self, Artifact, Artifacts, Gauges, Kept, Levels, Metrics, NoArtifact, Phase};
use crate::server::{self, AppState, FetchError, Fetched, Fetching, RunFacts, Service, endpoint};
use prims_cache::Cache;
use rmcp::transport::StreamableHttpServerConfig;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The MCP endpoint of a service.
pub(super) fn routes(service: impl Service) -> axum::Router {
    endpoint(service, config())
}

/// Who may connect, and how much they may send, is decided before a request comes to the endpoint.
pub(crate) fn config() -> StreamableHttpServerConfig {
    StreamableHttpServerConfig::default().disable_allowed_hosts()
}

/// What the edge stands in front of.
pub(super) fn service(program: &Program, routes: http::Routes, abandon: CancellationToken) -> http::Service {
    let levels = Levelled {
        state: program.state.clone(),
        cache: program.cache.clone(),
    };
    http::Service {
        artifacts: match routes.artifacts {
            Kept::Handles => Some(Arc::new(Files(program.state.clone()))),
            Kept::Elsewhere(artifacts) => Some(artifacts),
            Kept::Nowhere => None,
        },
        mcp: routes.mcp,
        refusals: routes.refusals,
        gauges: Arc::new(levels),
        metrics: program.metrics.clone(),
        readiness: program.readiness.clone(),
        abandon,
    }
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
        Box::pin(async move {
            match fetcher.put(&url, bytes.into()).await {
                Err(fetch::FetchError::Status { status, .. }) if status >= 400 => Ok(status),
                sent => sent.map_err(told),
            }
        })
    }
}

fn told(error: fetch::FetchError) -> FetchError {
    FetchError {
        message: error.to_string(),
        hint: error.hint().map(str::to_owned),
    }
}

/// Files of sessions, for downloads.
struct Files(AppState);

impl Artifacts for Files {
    fn open(&self, caller: &Caller, session: &str, path: &str) -> Result<Artifact, NoArtifact> {
        self.0.artifact(caller.0.clone(), session, path)
    }
}
