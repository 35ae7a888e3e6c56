//! `prims-wasm stdio` and `prims-wasm streamable-http`: the interpreter as an MCP server.

use super::Error;
use crate::arguments::{Serving, Stdio, StreamableHttp};
use crate::server::{AppState, NoFetcher, Options, SessionLimits, Sessions, endpoint, serve_stdio, service};
use crate::{console, setup};
use prims_packages::Requirements;
use prims_sandbox::Limits;
use rmcp::transport::StreamableHttpServerConfig;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// Threads of the runtime itself; what blocks has its own.
const WORKERS: usize = 2;
/// Threads for what blocks and is no run: files.
const FILE_THREADS: usize = 32;
/// Stack of every thread: the guest's 4 MiB and what the host needs beside it, so that no run needs a thread of its own. Only what is touched is used.
const STACK: usize = 8 << 20;
/// Between two looks for expired sessions.
const EXPIRY: Duration = Duration::from_secs(60);
/// How long a call waits for its turn.
const QUEUE_WAIT: Duration = Duration::from_secs(30);
/// How long runs may go on when the server is asked to end.
const DRAIN: Duration = Duration::from_secs(10);
/// And then how long they may take to stop.
const LAST_WORDS: Duration = Duration::from_secs(1);

pub(super) fn stdio(arguments: &Stdio, cache_dir: Option<&Path>) -> Result<u8, Error> {
    let state = state(&arguments.serving, cache_dir)?;
    let runtime = runtime(&arguments.serving)?;
    runtime.block_on(async {
        keep_house(state.clone());
        let (input, output) = rmcp::transport::stdio_pipes();
        let drain = ended_by_signal().map_err(serve("standard streams"))?;
        serve_stdio(service(state), input, output, drain, DRAIN).await;
        Ok::<(), Error>(())
    })?;
    runtime.shutdown_background();
    Ok(0)
}

pub(super) fn streamable_http(arguments: &StreamableHttp, cache_dir: Option<&Path>) -> Result<u8, Error> {
    let address = SocketAddr::new(arguments.host, arguments.port);
    if !address.ip().is_loopback() {
        let message = format!(
            "`{}` is not a loopback address, and there is no authentication yet",
            arguments.host
        );
        return Err(Error::Usage(message));
    }
    let state = state(&arguments.serving, cache_dir)?;
    let runtime = runtime(&arguments.serving)?;
    let failed = || serve(&address.to_string());
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await.map_err(failed())?;
        let local = listener.local_addr().map_err(failed())?;
        keep_house(state.clone());
        let drain = ended_by_signal().map_err(failed())?;
        let config = StreamableHttpServerConfig::default()
            // A page of this very address is no stranger; all others are.
            .with_allowed_origins([format!("http://{local}"), format!("http://localhost:{}", local.port())])
            .enforce_origin_validation()
            .with_cancellation_token(CancellationToken::new());
        let router = endpoint(service(state.clone()), config);
        console::note(&format!("serving MCP on http://{local}/mcp"));
        let serving = axum::serve(listener, router).with_graceful_shutdown(drain.clone().cancelled_owned());
        tokio::select! {
            served = serving.into_future() => served.map_err(failed())?,
            () = drained(drain, &state) => {}
        }
        Ok::<(), Error>(())
    })?;
    runtime.shutdown_background();
    Ok(0)
}

fn serve(on: &str) -> impl FnOnce(std::io::Error) -> Error + use<> {
    let on = on.to_owned();
    move |source| Error::Serve { on, source }
}

/// Removes expired sessions now and then, for as long as the server runs.
fn keep_house(state: AppState) {
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(EXPIRY).await;
            let state = state.clone();
            let _ = tokio::task::spawn_blocking(move || state.expire()).await;
        }
    });
}

/// Fires at the first SIGTERM or SIGINT.
fn ended_by_signal() -> std::io::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let ended = CancellationToken::new();
    let fire = ended.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        fire.cancel();
    });
    Ok(ended)
}

/// Waits until the server has been asked to end and what ran then has ended, or was cancelled.
async fn drained(drain: CancellationToken, state: &AppState) {
    drain.cancelled().await;
    // Answers that are being written when the last call ends get a moment; the server itself ends sooner if nobody is connected.
    let _ = tokio::time::timeout(DRAIN, state.idle()).await;
    state.cancel_all();
    let _ = tokio::time::timeout(LAST_WORDS, state.idle()).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
}

fn concurrency(serving: &Serving) -> usize {
    let cores = || std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    serving.concurrency.map_or_else(cores, usize::from)
}

fn runtime(serving: &Serving) -> Result<Runtime, Error> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(concurrency(serving) + FILE_THREADS)
        .thread_stack_size(STACK)
        .thread_name("prims-server")
        .enable_all()
        .build()
        .map_err(serve("threads"))
}

/// Everything the service needs. What an operator got wrong is an error now; what is slow begins in the background.
fn state(serving: &Serving, cache_dir: Option<&Path>) -> Result<AppState, Error> {
    log();
    let limits = serving.limits.limits();
    let ceilings = serving.ceilings();
    for (lower, upper) in [(&limits, &ceilings), (&ceilings, &Limits::CEILING)] {
        lower.within(upper).map_err(|above| Error::Usage(above.to_string()))?;
    }
    let requirements = serving.packages.deps.clone();
    let names: Vec<&str> = requirements.iter().map(String::as_str).collect();
    Requirements::parse(&names).map_err(prims_interpreter::Error::from)?;
    let session_limits = SessionLimits {
        bytes: limits.files_bytes,
        files: limits.files_count,
        ..SessionLimits::default()
    };
    let state = AppState::new(Options {
        interpreter: setup::for_server(cache_dir)?,
        sessions: Sessions::temporary(session_limits).map_err(serve("a temporary folder"))?,
        requirements,
        limits,
        ceilings,
        concurrency: concurrency(serving),
        queue: usize::from(serving.queue),
        queue_wait: QUEUE_WAIT,
        fetcher: Arc::new(NoFetcher),
        observer: Arc::new(()),
    });
    let warm = state.clone();
    std::thread::spawn(move || {
        if let Err(error) = warm.warm_up() {
            console::error(&error, error.hint());
        }
    });
    Ok(state)
}

/// What the server itself has to say goes to stderr. `PRIMS_LOG` says how much, in the form of `tracing`'s filters.
fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("PRIMS_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,rmcp=off"));
    // A second server in one process keeps the first one's log.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
}
