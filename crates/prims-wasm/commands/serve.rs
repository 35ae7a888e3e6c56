//! `prims-wasm stdio`, `prims-wasm streamable-http` and `prims-wasm serve-rest`: the interpreter as a server.

use super::Error;
use crate::arguments::{PackageFiles, Serving, Stdio, StreamableHttp};
use crate::compat::Compat;
use crate::compat::bee::Bee;
use crate::http::{self, Metrics, Readiness, Routes};
use crate::server::{AppState, Options, Service, Sessions, serve_stdio, service};
use crate::settings::Settings;
use crate::{console, fetch, setup};
use prims_cache::{Cache, Retention};
use prims_packages::Requirements;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

pub(crate) mod edge;
pub(super) mod rest;

/// Threads of the runtime itself; what blocks has its own.
const WORKERS: usize = 2;
/// Threads for what blocks and is no run: files.
const FILE_THREADS: usize = 32;
/// Stack of every thread: the guest's 4 MiB and what the host needs beside it, so that no run needs a thread of its own. Only what is
/// touched is used.
const STACK: usize = 8 << 20;
/// Between two looks for expired sessions.
const EXPIRY: Duration = Duration::from_secs(60);
/// How often a server looks after the cache.
const HOUSEKEEPING: Duration = Duration::from_secs(3600);

/// What both transports stand on.
pub(crate) struct Program {
    pub(crate) settings: Settings,
    cache: Cache,
    pub(crate) state: AppState,
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
}

pub(super) fn stdio(arguments: &Stdio, cache_dir: Option<&Path>, compat: Option<Compat>) -> Result<u8, Error> {
    let Serving { settings, files } = &arguments.serving;
    let (mut settings, is_bee) = (Settings::load(settings)?, compat == Some(Compat::Bee));
    if is_bee {
        rest::usual(&mut settings);
    }
    let program = program(settings, files, cache_dir, |_| None)?;
    match is_bee {
        true => over_stdio(&program, Bee::new(rest::interpreter(&program, None)?)),
        false => over_stdio(&program, service(program.state.clone())),
    }
}

/// Serves one client on the standard streams.
pub(crate) fn over_stdio(program: &Program, service: impl Service) -> Result<u8, Error> {
    let runtime = runtime(&program.settings)?;
    runtime.block_on(async {
        let (input, output) = rmcp::transport::stdio_pipes();
        let drain = ended_by_signal();
        let patience = program.settings.server.drain_timeout;
        serve_stdio(service, input, output, drain, patience).await;
    });
    program.state.end();
    runtime.shutdown_background();
    Ok(0)
}

pub(super) fn streamable_http(
    arguments: &StreamableHttp,
    cache_dir: Option<&Path>,
    compat: Option<Compat>,
) -> Result<u8, Error> {
    let Serving { settings, files } = &arguments.serving;
    let (mut settings, is_bee) = (Settings::load(settings)?, compat == Some(Compat::Bee));
    if is_bee {
        rest::usual(&mut settings);
    }
    let program = program(settings, files, cache_dir, usual_data_dir)?;
    let interpreter = match arguments.rest || is_bee {
        true => Some(rest::interpreter(&program, usual_dir("files", &program.settings))?),
        false => None,
    };
    let mcp = match &interpreter {
        Some(interpreter) if is_bee => edge::routes(Bee::new(interpreter.clone())),
        _ => edge::routes(service(program.state.clone())),
    };
    let rest = interpreter.filter(|_| arguments.rest).map(crate::rest::routes);
    over_http(&program, || Routes {
        rest,
        ..Routes::of(mcp)
    })
}

/// Serves everybody who may call, on the address of the settings. `routes` is called inside of the runtime.
pub(crate) fn over_http(program: &Program, routes: impl FnOnce() -> Routes) -> Result<u8, Error> {
    over_http_telling(program, routes, |server| {
        console::note(&format!("serving MCP on http://{}/mcp", server.address()));
    })
}

/// Serves until a signal says otherwise; `listening` is told where.
fn over_http_telling(
    program: &Program,
    routes: impl FnOnce() -> Routes,
    listening: impl FnOnce(&http::Server),
) -> Result<u8, Error> {
    let runtime = runtime(&program.settings)?;
    let served = runtime.block_on(async {
        let abandon = CancellationToken::new();
        let edge = edge::service(program, routes(), abandon.clone());
        let server = http::Server::bind(&program.settings, edge).await?;
        listening(&server);
        let state = program.state.clone();
        tokio::spawn(async move {
            abandon.cancelled().await;
            state.cancel_all();
        });
        server.serve(http::stop_signal()).await;
        Ok(0)
    });
    program.state.end();
    runtime.shutdown_background();
    served
}

/// Fires at the first SIGTERM or SIGINT.
pub(crate) fn ended_by_signal() -> CancellationToken {
    let ended = CancellationToken::new();
    let fire = ended.clone();
    tokio::spawn(async move {
        http::stop_signal().await;
        fire.cancel();
    });
    ended
}

fn concurrency(settings: &Settings) -> usize {
    match settings.runs.concurrency {
        0 => std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
        asked => asked as usize,
    }
}

fn runtime(settings: &Settings) -> Result<Runtime, Error> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(concurrency(settings) + FILE_THREADS)
        .thread_stack_size(STACK)
        .thread_name("prims-server")
        .enable_all()
        .build()
        .map_err(serve("threads"))
}

fn serve(on: &str) -> impl FnOnce(std::io::Error) -> Error + use<> {
    let on = on.to_owned();
    move |source| Error::Serve { on, source }
}

/// Everything a transport needs. What an operator got wrong is an error now; what is slow begins in the background.
pub(crate) fn program(
    settings: Settings,
    files: &PackageFiles,
    cache_dir: Option<&Path>,
    usual: impl Fn(&Settings) -> Option<PathBuf>,
) -> Result<Program, Error> {
    let data_dir = settings.sessions.data_dir.clone().or_else(|| usual(&settings));
    http::log::start(&settings.log);
    let cache = setup::cache(cache_dir, &settings)?;
    let requirements = settings.packages.deps.clone();
    let names: Vec<&str> = requirements.iter().map(String::as_str).collect();
    Requirements::parse(&names)?;
    let (metrics, readiness) = (Metrics::new().map_err(http::Error::from)?, Readiness::starting());
    let interpreter = Arc::new(setup::for_server(cache.clone(), &settings, files)?);
    let sessions = Sessions::new(
        interpreter.clone(),
        settings.of_sessions(),
        data_dir,
        settings.sessions.workspaces.0,
    );
    let sessions = sessions.map_err(serve("a temporary folder"))?;
    // The folders of runs, too, so that all of them go when the server ends. It is only refused to whoever comes second.
    let _ = tempfile::env::override_temp_dir(sessions.temporary());
    let state = AppState::new(Options {
        interpreter,
        sessions,
        requirements,
        limits: settings.limits(),
        ceilings: settings.ceilings(),
        concurrency: concurrency(&settings),
        queue: settings.runs.queue as usize,
        queue_wait: settings.runs.queue_wait,
        fetcher: Arc::new(edge::Guarded {
            fetcher: fetch::Fetcher::new(&settings.fetch)?,
            max_upload: settings.fetch.max_upload.0,
        }),
        observer: Arc::new(edge::Observer(metrics.clone())),
    });
    let (warm, ready) = (state.clone(), readiness.clone());
    std::thread::spawn(move || match warm.warm_up() {
        Ok(()) => ready.ready(),
        Err(error) => console::error(&error, error.hint()),
    });
    look_after(cache.clone(), &settings);
    // Weak, so that this thread does not keep what everybody else has given up.
    let expiring = Arc::downgrade(&state.0);
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(EXPIRY);
            let Some(shared) = expiring.upgrade() else { return };
            AppState(shared).expire();
        }
    });
    Ok(Program {
        settings,
        cache,
        state,
        metrics,
        readiness,
    })
}

/// Where the sessions of an HTTP server lie if nothing else is said: one folder for each port, as two servers cannot share one. A
/// server on any free port has none: it would not find its sessions again.
pub(crate) fn usual_data_dir(settings: &Settings) -> Option<PathBuf> {
    usual_dir("sessions", settings)
}

fn usual_dir(what: &str, settings: &Settings) -> Option<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let data = set("XDG_DATA_HOME").or_else(|| Some(set("HOME")?.join(".local/share")))?;
    let port = settings.server.port;
    (port != 0).then(|| data.join("prims-wasm").join(format!("{what}-{port}")))
}

/// Keeps the cache within its bounds, from a thread of its own: it takes time, and nobody waits for it.
fn look_after(cache: Cache, settings: &Settings) {
    let retention = Retention {
        unused_for: Some(settings.cache.max_age),
        bytes: Some(settings.cache.max_size.0),
    };
    std::thread::spawn(move || {
        loop {
            match cache.trim(&retention) {
                Ok(cleaned) if cleaned.removed > 0 => {
                    tracing::info!(removed = cleaned.removed, bytes = cleaned.bytes, "cache trimmed");
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "the cache could not be trimmed"),
            }
            std::thread::sleep(HOUSEKEEPING);
        }
    });
}
