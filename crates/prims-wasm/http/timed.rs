//! A connection that a slow client cannot hold: a head must arrive within a time, an answer must be taken, idleness ends.

use std::io::{Error, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// What a client may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// From the first byte of a head to its last, and from connecting to the first head.
    pub(super) header: Duration,
    /// Between an answer and the next head.
    pub(super) idle: Duration,
    /// Between two moments at which something of an answer is taken.
    pub(super) write: Duration,
}

/// How far a connection is. Requests count from their heads to the ends of their answers.
#[derive(Debug, Default)]
pub(super) struct Progress {
    started: AtomicU64,
    ended: AtomicU64,
}

impl Progress {
    pub(super) fn start(&self) {
        self.started.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn end(&self) {
        self.ended.fetch_add(1, Ordering::SeqCst);
    }

    /// No head was complete yet.
    pub(super) fn is_new(&self) -> bool {
        self.started.load(Ordering::SeqCst) == 0
    }

    pub(super) fn is_idle(&self) -> bool {
        self.started.load(Ordering::SeqCst) == self.ended.load(Ordering::SeqCst)
    }
}

pub(super) struct Timed<S> {
    stream: S,
    times: Times,
    progress: std::sync::Arc<Progress>,
    /// The timer of the head or of idleness.
    read: Option<Pin<Box<Sleep>>>,
    /// Whether some of a head came.
    in_head: bool,
    /// Requests that were started when the head began.
    seen: u64,
    write: Option<Pin<Box<Sleep>>>,
}

impl<S> Timed<S> {
    pub(super) fn new(stream: S, times: Times, progress: std::sync::Arc<Progress>) -> Timed<S> {
        Timed {
            stream,
            times,
            progress,
            read: None,
            in_head: false,
            seen: 0,
            write: None,
        }
    }

    /// Something came, or did not.
    fn watch_head(&mut self, received: bool, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let started = self.progress.started.load(Ordering::SeqCst);
        if started != self.seen {
            (self.seen, self.in_head, self.read) = (started, false, None);
        }
        if !self.progress.is_idle() {
            // A body, or the end of the connection: what handles the request has its own times.
            return Poll::Pending;
        }
        if received {
            if !self.in_head && started > 0 {
                self.read = None;
            }
            self.in_head = true;
            return Poll::Pending;
        }
        let time = if self.in_head || started == 0 {
            self.times.header
        } else {
            self.times.idle
        };
        let timer = self.read.get_or_insert_with(|| Box::pin(sleep(time)));
        timer
            .as_mut()
            .poll(cx)
            .map(|()| Err(Error::new(ErrorKind::TimedOut, "no request in time")))
    }

    fn watch_write<T>(&mut self, done: Poll<T>, cx: &mut Context<'_>) -> Poll<Result<T, Error>> {
        if let Poll::Ready(done) = done {
            self.write = None;
            return Poll::Ready(Ok(done));
        }
        let timer = self.write.get_or_insert_with(|| Box::pin(sleep(self.times.write)));
        timer
            .as_mut()
            .poll(cx)
            .map(|()| Err(Error::new(ErrorKind::TimedOut, "the answer is not taken")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Ready(Ok(())) => {
                let received = buffer.filled().len() > before;
                if received {
                    let _ = self.watch_head(true, cx);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(error) => Poll::Ready(error),
            Poll::Pending => self.watch_head(false, cx),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch_write(done, cx).map(|done| done?)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watch_write(done, cx).map(|done| done?)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch_write(done, cx).map(|done| done?)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch_write(done, cx).map(|done| done?)
    }
}
