//! Figures about the server for Prometheus. Labels are words of the program: nothing of a caller is in them.

use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry, TextEncoder, core::Collector,
};
use std::sync::Arc;
use std::time::Duration;

/// Upper bounds of the histograms, in seconds: from a warm run to a slow installation.
const BUCKETS: [f64; 16] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0,
];

/// The ways a run ends that have a line of their own.
const OUTCOMES: [&str; 13] = [
    "success",
    "error",
    "exit",
    "timeout",
    "fuel_exhausted",
    "memory_limit",
    "output_limit",
    "cancelled",
    "crashed",
    "install_error",
    "refused",
    "busy",
    "fault",
];

/// The parts of a run that are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for a turn.
    Queue,
    /// Packages and image.
    Prepare,
    /// Making the instance.
    Start,
    /// The code itself.
    Run,
}

impl Phase {
    const ALL: [Phase; 4] = [Phase::Queue, Phase::Prepare, Phase::Start, Phase::Run];

    fn word(self) -> &'static str {
        match self {
            Phase::Queue => "queue",
            Phase::Prepare => "prepare",
            Phase::Start => "start",
            Phase::Run => "run",
        }
    }
}

/// What is the case now, as opposed to what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    /// Runs that wait.
    pub queued: u64,
    /// Runs in progress.
    pub running: u64,
    /// Living sessions.
    pub sessions: u64,
    /// Bytes in the cache.
    pub cache_bytes: u64,
}

/// Whoever knows the levels. Asked once for each scrape, where blocking does no harm.
pub trait Gauges: Send + Sync + 'static {
    /// The levels now.
    fn levels(&self) -> Levels;
}

/// Counters and gauges of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    runs: IntCounterVec,
    phases: HistogramVec,
    requests: IntCounterVec,
    levels: [IntGauge; 6],
}

impl Metrics {
    /// Everything at zero.
    pub fn new() -> Result<Arc<Metrics>, prometheus::Error> {
        let gauge = |name: &str, help: &str| IntGauge::new(name, help);
        let metrics = Metrics {
            registry: Registry::new(),
            runs: IntCounterVec::new(Opts::new("prims_runs_total", "Runs by outcome"), &["outcome"])?,
            phases: HistogramVec::new(
                HistogramOpts::new("prims_run_phase_seconds", "Time of the phases of runs").buckets(BUCKETS.to_vec()),
                &["phase"],
            )?,
            requests: IntCounterVec::new(
                Opts::new("prims_http_requests_total", "HTTP requests by status"),
                &["status"],
            )?,
            levels: [
                gauge("prims_runs_queued", "Runs that wait for their turn")?,
                gauge("prims_runs_running", "Runs in progress")?,
                gauge("prims_sessions", "Living sessions")?,
                gauge("prims_cache_bytes", "Bytes in the cache")?,
                gauge("process_resident_memory_bytes", "Resident memory")?,
                gauge("process_open_fds", "Open file descriptors")?,
            ],
        };
        metrics.register(&metrics.runs)?;
        metrics.register(&metrics.phases)?;
        metrics.register(&metrics.requests)?;
        for level in &metrics.levels {
            metrics.register(level)?;
        }
        // So that a line exists before its first event.
        OUTCOMES
            .iter()
            .for_each(|word| drop(metrics.runs.with_label_values(&[word])));
        Phase::ALL
            .iter()
            .for_each(|phase| drop(metrics.phases.with_label_values(&[phase.word()])));
        Ok(Arc::new(metrics))
    }

    fn register<C: Collector + Clone + 'static>(&self, collector: &C) -> Result<(), prometheus::Error> {
        self.registry.register(Box::new(collector.clone()))
    }

    /// A run ended. `outcome` is the word of its reply.
    pub fn run_ended(&self, outcome: &str, phases: &[(Phase, Duration)]) {
        let known = OUTCOMES.iter().find(|word| **word == outcome);
        self.runs.with_label_values(&[*known.unwrap_or(&"other")]).inc();
        for (phase, time) in phases {
            self.phases
                .with_label_values(&[phase.word()])
                .observe(time.as_secs_f64());
        }
    }

    /// A request was answered.
    pub(super) fn request_answered(&self, status: u16) {
        self.requests.with_label_values(&[&status.to_string()]).inc();
    }

    /// All of it in Prometheus' text format.
    pub(super) fn render(&self, levels: Levels) -> String {
        let values = [
            levels.queued,
            levels.running,
            levels.sessions,
            levels.cache_bytes,
            resident_memory().unwrap_or(0),
            open_descriptors().unwrap_or(0),
        ];
        for (gauge, value) in self.levels.iter().zip(values) {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
        let mut text = vec![];
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "cannot write the metrics");
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// The second number of `statm`, in pages.
fn resident_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

fn open_descriptors() -> Option<u64> {
    // Less the one that lists them.
    Some((std::fs::read_dir("/proc/self/fd").ok()?.count() as u64).saturating_sub(1))
}
