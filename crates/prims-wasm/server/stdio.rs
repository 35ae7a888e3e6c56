//! Standard streams as the transport: one JSON line per message, nothing else on stdout.
//!
//! rmcp's own loop waits for a handshake and, at the end of its input, for answers that may take long. Here no handshake is needed, and the end of
//! the input ends what runs: at once after a grace for short runs.

use super::Service;
use super::state::AppState;
use rmcp::RoleServer;
use rmcp::model::{ClientNotification, JsonRpcMessage, RequestId};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage, serve_directly_with_ct};
use rmcp::transport::Transport;
use rmcp::transport::async_rw::AsyncRwTransport;
use std::collections::HashSet;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// After the end of the input runs may end by themselves for this long; the answers of a client that sent its last request may still be read.
const GRACE: Duration = Duration::from_secs(1);
/// Then they are cancelled and have this long to say so. The process is gone within two seconds.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Serves one client until `input` ends, `output` is closed by the other side, or `drain` fires: then no new message is read, what runs may end
/// within `drain_time`, and is cancelled after it.
pub async fn serve_stdio<S, R, W>(server: S, input: R, output: W, drain: CancellationToken, drain_time: Duration)
where
    S: Service,
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let (state, server) = (server.state().clone(), server.on_stdio());
    let ended = CancellationToken::new();
    let transport = Streams {
        inner: AsyncRwTransport::new_server(input, output),
        state: state.clone(),
        drain,
        drain_time,
        closed: CancellationToken::new(),
        unanswered: watch::Sender::default(),
        ending: None,
    };
    let running = serve_directly_with_ct::<RoleServer, _, _, _, _>(server, transport, None, ended);
    // It ends when the transport says that nothing more comes.
    if let Err(error) = running.waiting().await {
        tracing::error!("serving standard streams failed: {error}");
    }
    state.cancel_all();
}

struct Streams<R: AsyncRead, W: AsyncWrite> {
    inner: AsyncRwTransport<RoleServer, R, W>,
    state: AppState,
    drain: CancellationToken,
    drain_time: Duration,
    /// Fires when the other side no longer reads.
    closed: CancellationToken,
    /// Requests that were read, until their answer is on its way or they are cancelled, after which there is none.
    unanswered: watch::Sender<HashSet<RequestId>>,
    /// Until when runs may end by themselves, once nothing more is read. Kept here because `receive` is dropped and called again.
    ending: Option<Instant>,
}

impl<R: AsyncRead, W: AsyncWrite> Streams<R, W> {
    /// Keeps count of what has to be answered.
    fn note(&self, message: &RxJsonRpcMessage<RoleServer>) {
        match message {
            JsonRpcMessage::Request(request) => {
                self.unanswered.send_modify(|requests| {
                    requests.insert(request.id.clone());
                });
            }
            JsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) = &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    self.unanswered.send_if_modified(|requests| requests.remove(id));
                }
            }
            _ => {}
        }
    }
}

impl<R, W> Transport<RoleServer> for Streams<R, W>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = std::io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let answered = match &message {
            JsonRpcMessage::Response(response) => Some(&response.id),
            JsonRpcMessage::Error(error) => error.id.as_ref(),
            _ => None,
        };
        if let Some(id) = answered {
            self.unanswered.send_if_modified(|requests| requests.remove(id));
        }
        let (sent, closed) = (self.inner.send(message), self.closed.clone());
        async move {
            let sent = sent.await;
            if sent.is_err() {
                closed.cancel();
            }
            sent
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        if self.ending.is_none() {
            let grace = tokio::select! {
                message = self.inner.receive() => match message {
                    Some(message) => {
                        self.note(&message);
                        return Some(message);
                    }
                    None => GRACE,
                },
                () = self.closed.cancelled() => Duration::ZERO,
                () = self.drain.cancelled() => self.drain_time,
            };
            self.ending = Some(Instant::now() + grace);
        }
        let ending = self.ending.unwrap_or_else(Instant::now);
        // The loop that called keeps sending what runs have to say meanwhile.
        let mut unanswered = self.unanswered.subscribe();
        if timeout_at(ending, unanswered.wait_for(HashSet::is_empty))
            .await
            .is_err()
        {
            self.state.cancel_all();
            let _ = timeout_at(ending + LAST_WORDS, unanswered.wait_for(HashSet::is_empty)).await;
        }
        None
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.inner.close().await
    }
}
