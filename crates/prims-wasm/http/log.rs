//! Log lines, on standard error: on stdio, standard output is the protocol.
//!
//! What this program logs itself is at the level of the settings. Libraries are heard from `warn` on, because at finer levels they
//! log whole messages, with code, tokens and presigned URLs in them; the MCP library, whose warnings quote messages too, is not.

use crate::settings::{LogFormat, LogSettings};
use std::io::IsTerminal;
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// The crates of this program.
const OURS: [&str; 5] = [
    "prims_wasm",
    "prims_interpreter",
    "prims_packages",
    "prims_sandbox",
    "prims_cache",
];

/// Logs what this process does from now on. Only the first call counts.
pub fn start(settings: &LogSettings) {
    let _ = tracing::subscriber::set_global_default(subscriber(settings, std::io::stderr));
}

/// What turns events into lines.
pub fn subscriber<W>(settings: &LogSettings, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let level = settings.level.word();
    let mut directives = "warn,rmcp=off".to_owned();
    for name in OURS {
        directives += &format!(",{name}={level}");
    }
    // It is made of words of this program; a mistake would be a program that logs warnings only.
    let filter = EnvFilter::try_new(directives).unwrap_or_else(|_| EnvFilter::new("warn"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    match settings.format.0 {
        LogFormat::Json => Box::new(lines.json().flatten_event(true).with_span_list(false).finish()),
        LogFormat::Text => Box::new(lines.with_ansi(std::io::stderr().is_terminal()).finish()),
    }
}
