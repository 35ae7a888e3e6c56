//! Where the service meets the HTTP edge: metrics, fetching, artifacts.

use super::Program;
use crate::auth::Caller;
use crate::fetch;
use crate::http::{self, Artifact, Artifacts, Gauges, Kept, Levels, Metrics, NoArtifact, Phase};
use crate::server::{self, AppState, FetchError, Fetched, Fetching, RunFacts, Service, endpoint};
use axum::Router;
use prims_cache::Cache;
use rmcp::transport::StreamableHttpServerConfig;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// The MCP endpoint of a service.
pub(super) fn routes(service: impl Service) -> Router {
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
        cache: CacheSize::new(program.cache.clone()),
    };
    http::Service {
        artifacts: match routes.artifacts {
            Kept::Handles => Some(Arc::new(Files(program.state.clone()))),
            Kept::Elsewhere(artifacts) => Some(artifacts),
            Kept::Nowhere => None,
        },
        mcp: routes.mcp,
        refusals: routes.refusals,
        rest: routes.rest,
        grpc: routes.grpc,
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
    cache: CacheSize,
}

/// What the cache's files add up to, counted now and then: everybody may ask for figures, and counting looks at every file.
struct CacheSize {
    cache: Cache,
    bytes: AtomicU64,
    counted: Mutex<Option<Instant>>,
}

impl CacheSize {
    /// Between two counts.
    const BETWEEN: Duration = Duration::from_secs(60);

    fn new(cache: Cache) -> CacheSize {
        CacheSize {
            cache,
            bytes: AtomicU64::new(0),
            counted: Mutex::new(None),
        }
    }

    fn bytes(&self, now: Instant) -> u64 {
        // While it is counted, others get the figure from before.
        if let Ok(mut counted) = self.counted.try_lock()
            && counted.is_none_or(|last| now.saturating_duration_since(last) >= CacheSize::BETWEEN)
        {
            *counted = Some(now);
            let info = self.cache.info();
            let bytes = info.map_or(0, |info| info.kinds.iter().map(|kind| kind.bytes).sum());
            self.bytes.store(bytes, Ordering::Relaxed);
        }
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Gauges for Levelled {
    fn levels(&self) -> Levels {
        Levels {
            queued: self.state.queued() as u64,
            running: self.state.running() as u64,
            sessions: self.state.session_count() as u64,
            cache_bytes: self.cache.bytes(Instant::now()),
        }
    }
}

/// The guarded fetcher, as the service wants it.
pub(super) struct Guarded {
    pub(super) fetcher: fetch::Fetcher,
    /// Bytes that are sent to one URL at most.
    pub(super) max_upload: u64,
}

impl server::Fetcher for Guarded {
    fn get(&self, url: &str, max_bytes: u64) -> Fetching<Fetched> {
        let (fetcher, url) = (self.fetcher.clone(), url.to_owned());
        Box::pin(async move {
            let fetched = fetcher.get(&url, max_bytes).await.map_err(told)?;
            Ok(Fetched {
                bytes: fetched.bytes.into(),
            })
        })
    }

    fn max_upload(&self) -> u64 {
        self.max_upload
    }

    fn put(&self, url: &str, bytes: Vec<u8>) -> Fetching<u16> {
        let (fetcher, url) = (self.fetcher.clone(), url.to_owned());
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

#[cfg(test)]
mod tests {
    use super::*;
    use prims_cache::Key;
    use std::io::Write;

    #[test]
    fn the_cache_is_counted_once_a_minute() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(folder.path())).unwrap();
        let add = |name: &str| {
            let built = cache.file("test", &Key::new(name), |writer| {
                let _ = writer.write_all(&[1; 10_000]);
                Ok::<(), prims_cache::Error>(())
            });
            built.unwrap();
        };
        let size = CacheSize::new(cache.clone());
        let now = Instant::now();
        add("a");
        let first = size.bytes(now);
        assert!(first >= 10_000, "{first}");
        add("b");
        assert_eq!(size.bytes(now + CacheSize::BETWEEN - Duration::from_millis(1)), first);
        assert!(size.bytes(now + CacheSize::BETWEEN) > first);
    }
}
