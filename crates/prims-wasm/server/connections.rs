//! What belongs to a client's connection: its log level, and which of its requests run.
//!
//! Over HTTP every request stands alone. A client of the `initialize`-based revisions gets an identifier from `initialize` and sends it back in
//! `Mcp-Session-Id`; this is where it leads. Losing an entry costs a client its log level, so few are kept and none is written down.

use rmcp::model::{LoggingLevel, RequestId};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// Connections remembered; the one used longest ago goes first.
const MOST: usize = 4096;

/// The identifiers we give out begin with this, so that a session's handle in the same header is told apart.
const PREFIX: &str = "mcp-";

/// A client's connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ConnectionId {
    /// The process's standard streams.
    Stdio,
    /// What an HTTP client got from `initialize`.
    Http(String),
}

impl ConnectionId {
    /// A new identifier for an HTTP client, 128 bits that nobody guesses; none without entropy.
    pub(crate) fn mint() -> Option<ConnectionId> {
        super::sessions::random_name()
            .ok()
            .map(|name| ConnectionId::Http(format!("{PREFIX}{name}")))
    }

    /// Reads a header; `None` if it is nothing we gave out.
    pub(crate) fn parse(header: &str) -> Option<ConnectionId> {
        let name = header.strip_prefix(PREFIX)?;
        let ours = name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        ours.then(|| ConnectionId::Http(header.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            ConnectionId::Stdio => "stdio",
            ConnectionId::Http(id) => id,
        }
    }
}

#[derive(Default)]
pub(crate) struct Connections(Mutex<Known>);

#[derive(Default)]
struct Known {
    clock: u64,
    by_id: HashMap<ConnectionId, Connection>,
}

#[derive(Default)]
struct Connection {
    used: u64,
    level: Option<LoggingLevel>,
    running: HashMap<RequestId, CancellationToken>,
}

impl Connections {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what a client wants to be told from now on.
    pub(crate) fn set_level(&self, id: &ConnectionId, level: LoggingLevel) {
        self.lock().entry(id).level = Some(level);
    }

    /// What a client wants to be told, if it said so.
    pub(crate) fn level(&self, id: &ConnectionId) -> Option<LoggingLevel> {
        self.lock().by_id.get(id).and_then(|connection| connection.level)
    }

    /// Remembers a request that runs until the guard is dropped, so that [`Connections::cancel`] finds it.
    pub(crate) fn running<'a>(&'a self, id: &ConnectionId, request: RequestId, stop: CancellationToken) -> Running<'a> {
        self.lock().entry(id).running.insert(request.clone(), stop);
        Running {
            connections: self,
            id: id.clone(),
            request,
        }
    }

    /// Cancels a request of this connection; nothing happens if it does not run.
    pub(crate) fn cancel(&self, id: &ConnectionId, request: &RequestId) {
        if let Some(stop) = self
            .lock()
            .by_id
            .get(id)
            .and_then(|connection| connection.running.get(request))
        {
            stop.cancel();
        }
    }
}

impl Known {
    fn entry(&mut self, id: &ConnectionId) -> &mut Connection {
        self.clock += 1;
        if self.by_id.len() >= MOST && !self.by_id.contains_key(id) {
            let idle = self
                .by_id
                .iter()
                .filter(|(_, connection)| connection.running.is_empty());
            let oldest = idle
                .min_by_key(|(_, connection)| connection.used)
                .map(|(id, _)| id.clone());
            oldest.map(|oldest| self.by_id.remove(&oldest));
        }
        let connection = self.by_id.entry(id.clone()).or_default();
        connection.used = self.clock;
        connection
    }
}

/// A request that runs.
pub(crate) struct Running<'a> {
    connections: &'a Connections,
    id: ConnectionId,
    request: RequestId,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connections.lock().by_id.get_mut(&self.id) {
            connection.running.remove(&self.request);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_are_remembered_and_running_ones_are_not_forgotten() {
        let connections = Connections::default();
        let first = ConnectionId::mint().unwrap();
        let stop = CancellationToken::new();
        let running = connections.running(&first, RequestId::Number(1), stop.clone());
        for _ in 0..MOST + 100 {
            connections.set_level(&ConnectionId::mint().unwrap(), LoggingLevel::Info);
        }
        assert_eq!(connections.lock().by_id.len(), MOST);
        connections.cancel(&first, &RequestId::Number(2));
        assert!(!stop.is_cancelled());
        connections.cancel(&first, &RequestId::Number(1));
        assert!(stop.is_cancelled());
        drop(running);
        connections.cancel(&first, &RequestId::Number(1));
    }

    #[test]
    fn only_our_own_identifiers_are_read() {
        let minted = ConnectionId::mint().unwrap();
        assert_eq!(ConnectionId::parse(minted.as_str()), Some(minted));
        for other in ["", "mcp-", "mcp-..", "0123456789abcdef0123456789abcdef", "stdio"] {
            assert_eq!(ConnectionId::parse(other), None, "{other}");
        }
    }
}
