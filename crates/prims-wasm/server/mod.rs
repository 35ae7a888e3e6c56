//! The interpreter as an MCP server: one service, over standard streams and over HTTP.
//!
//! ```text
//!  stdio.rs ─┐                    ┌─ resources.rs ─┐
//!            ├─▶ handler.rs (MCP) ┤                ├─▶ bridge.rs ─▶ sessions.rs ─▶ prims-interpreter
//!  http.rs ──┘      live.rs       └─ tools/ ───────┘   (async → blocking)
//! ```
//!
//! * **caller**: who asks, as far as the transport knows. **connection**: what a client's notifications refer to: the process's
//!   standard streams, or the identifier an HTTP client got from `initialize`. Nothing but the log level and running requests belongs
//!   to it; sessions are handles of their own.
//! * **call**: one `tools/call`. **permit**: the right to run a guest; there are as many as cores. **incident**: a failure of ours, with an
//!   identifier that the client sees and the log explains.
//!
//! Two revisions of MCP are served on one endpoint: 2026-07-28, where every request says all it needs, and the `initialize`-based ones
//! before it, whose handshake is answered but never required.

#![expect(
    deprecated,
    reason = "log messages are deprecated in the newest revision, and what clients of all revisions show while code runs"
)]

pub(crate) mod bridge;
pub(crate) mod connections;
mod deferred;
mod fetch;
pub(crate) mod handler;
mod http;
mod instructions;
pub(crate) mod live;
mod render;
mod resources;
pub(crate) mod sessions;
pub(crate) mod state;
mod stdio;
mod temporary;
pub(crate) mod tools;
mod turns;
mod usage;
pub(crate) mod workspace;

pub(crate) use bridge::{Error as BridgeError, Incident};
pub use bridge::{package_progress, progress_sink};
pub use deferred::Deferred;
pub use fetch::{FetchError, Fetched, Fetcher, Fetching, NoFetcher};
pub use handler::Server;
pub use http::{endpoint, endpoint_of};
pub(crate) use http::{endpoint_with, not_a_message};
pub use sessions::Sessions;
pub(crate) use sessions::{Full, RunFolder};
pub(crate) use state::Shared;
pub use state::{AppState, Observer, Options, RunFacts};
pub use stdio::serve_stdio;
pub(crate) use tools::run_code::{Blame, MAX_CODE, MAX_ENV, blame, facts, is_variable};

/// So many random bytes as hexadecimal digits.
fn random_hex<const BYTES: usize>() -> std::io::Result<String> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(crate::hex::hex(&bytes))
}

/// What a transport serves: MCP on a state.
pub trait Service: rmcp::ServerHandler + Clone {
    /// What its calls share.
    fn state(&self) -> &AppState;

    /// The same for standard streams: everything comes from one client.
    fn on_stdio(self) -> Self;
}

/// The MCP service on a state. Clones share everything; a transport may ask for one per request.
pub fn service(state: AppState) -> Server {
    Server::new(state)
}
