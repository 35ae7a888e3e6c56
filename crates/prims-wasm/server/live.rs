//! What a client is told while a call runs: lines of output as log messages, and progress.
//!
//! Output is never held up by a slow client: what does not fit is counted and named, and the result has all of it.

use super::bridge::Step;
use super::render;
use prims_packages::Event;
use prims_sandbox::{OutputSink, Progress, Stream};
use rmcp::model::{
    LoggingLevel, LoggingMessageNotification, LoggingMessageNotificationParam, Notification, ProgressNotification,
    ProgressNotificationParam, ProgressToken,
};
use rmcp::{Peer, RoleServer};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A longer line is sent in pieces.
const MAX_LINE: usize = 8 << 10;
/// Lines that wait for a client to read.
const WAITING_LINES: usize = 1024;
/// Lines sent at once, and then per second.
const LINES_BURST: f64 = 1000.0;
const LINES_PER_SECOND: f64 = 200.0;
/// Between two notifications of progress: at most ten a second.
const PROGRESS_GAP: Duration = Duration::from_millis(100);
/// Between two notifications when nothing changes but the time.
const PROGRESS_PERIOD: Duration = Duration::from_secs(1);
/// How long a result waits for a client to take the lines that come before it.
const FLUSH: Duration = Duration::from_secs(2);

/// Whether messages of `level` are wanted by somebody who asked for `least` and above.
pub(crate) fn wanted(least: LoggingLevel, level: LoggingLevel) -> bool {
    let rank = |level: LoggingLevel| level as u8;
    rank(level) >= rank(least)
}

/// Tells a client about one call.
pub(crate) struct Live {
    lines: Option<(Arc<Lines>, JoinHandle<()>)>,
    progress: Option<(watch::Sender<String>, JoinHandle<()>)>,
}

impl Live {
    /// Tells nothing unless the client gave a level or a token.
    pub(crate) fn start(peer: &Peer<RoleServer>, level: Option<LoggingLevel>, token: Option<ProgressToken>) -> Live {
        let lines = level
            .filter(|level| wanted(*level, LoggingLevel::Warning))
            .map(|level| {
                let (sender, receiver) = mpsc::channel(WAITING_LINES);
                let lines = Arc::new(Lines::new(sender, level));
                (lines, tokio::spawn(send_lines(peer.clone(), receiver, Some("python"))))
            });
        let progress = token.map(|token| {
            let (sender, receiver) = watch::channel(String::from("waiting for a turn"));
            (sender, tokio::spawn(send_progress(peer.clone(), token, receiver)))
        });
        Live { lines, progress }
    }

    /// Tells lines only, from no logger in particular, and what else is worth one.
    pub(crate) fn lines(peer: &Peer<RoleServer>, level: Option<LoggingLevel>) -> Live {
        let lines = level.map(|level| {
            let (sender, receiver) = mpsc::channel(WAITING_LINES);
            let lines = Arc::new(Lines::new(sender, level));
            (lines, tokio::spawn(send_lines(peer.clone(), receiver, None)))
        });
        Live { lines, progress: None }
    }

    /// For a line that the guest did not write.
    pub(crate) fn teller_of_lines(&self) -> impl Fn(LoggingLevel, String) + Send + Sync + 'static + use<> {
        let lines = self.lines.as_ref().map(|(lines, _)| Arc::clone(lines));
        move |level, text| {
            if let Some(lines) = &lines {
                lines.say(level, text);
            }
        }
    }

    /// For the guest's output.
    pub(crate) fn sink(&self) -> Option<OutputSink> {
        let lines = Arc::clone(&self.lines.as_ref()?.0);
        Some(Arc::new(move |stream, bytes| lines.push(stream, bytes)))
    }

    /// For steps of the preparation, and for the beginning of the run.
    pub(crate) fn teller(&self) -> Teller {
        Teller(self.progress.as_ref().map(|(sender, _)| sender.clone()))
    }

    /// Ends it, when everything has been sent, or the client does not take it, or `stop` says that it does not want it.
    pub(crate) async fn finish(self, stop: &CancellationToken) {
        let mut tasks = vec![];
        if let Some((sender, task)) = self.progress {
            drop(sender);
            tasks.push(task);
        }
        if let Some((lines, task)) = self.lines {
            lines.finish();
            tasks.push(task);
        }
        let deadline = tokio::time::Instant::now() + FLUSH;
        for mut task in tasks {
            tokio::select! {
                _ = &mut task => {}
                () = tokio::time::sleep_until(deadline) => task.abort(),
                () = stop.cancelled() => task.abort(),
            }
        }
    }
}

/// Tells what a call is doing.
#[derive(Clone)]
pub(crate) struct Teller(Option<watch::Sender<String>>);

impl Teller {
    pub(crate) fn tell(&self, doing: impl Into<String>) {
        if let Some(sender) = &self.0 {
            sender.send_replace(doing.into());
        }
    }

    pub(crate) fn prepare(&self, step: Step) {
        if let Some(doing) = described(step) {
            self.tell(doing);
        }
    }
}

/// A step in words.
pub(crate) fn described(step: Step) -> Option<String> {
    let progress = match step {
        Step::Image(progress) => progress,
        Step::Packages(Event::Resolving { name }) => return Some(format!("resolving {name}")),
        Step::Packages(Event::Fetching { name, bytes, total }) => {
            let total = total.map(|total| format!(" of {}", render::size(total)));
            return Some(format!(
                "fetching {name}: {}{}",
                render::size(*bytes),
                total.unwrap_or_default()
            ));
        }
        Step::Packages(Event::Unpacking { name }) => return Some(format!("unpacking {name}")),
        Step::Packages(_) => return None,
    };
    match progress {
        Progress::CompilingInterpreter => Some("compiling the interpreter, once per version".into()),
        Progress::CompilingModule { name, done, total } => Some(format!("compiling {name} ({} of {total})", done + 1)),
        Progress::BuildingImage => Some("starting the interpreter and importing packages".into()),
        Progress::Ready => Some("running".into()),
        _ => None,
    }
}

struct Line {
    level: LoggingLevel,
    text: String,
}

/// Cuts output into lines.
struct Lines(Mutex<LineState>);

struct LineState {
    sender: Option<mpsc::Sender<Line>>,
    least: LoggingLevel,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// Lines that may be sent now.
    allowance: f64,
    refilled: Instant,
    dropped: u64,
}

impl Lines {
    fn new(sender: mpsc::Sender<Line>, least: LoggingLevel) -> Lines {
        Lines(Mutex::new(LineState {
            sender: Some(sender),
            least,
            stdout: vec![],
            stderr: vec![],
            allowance: LINES_BURST,
            refilled: Instant::now(),
            dropped: 0,
        }))
    }

    fn push(&self, stream: Stream, mut bytes: &[u8]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.wants(stream) {
            return;
        }
        while !bytes.is_empty() {
            let room = MAX_LINE - state.pending(stream).len();
            let end = bytes.iter().take(room).position(|byte| *byte == b'\n');
            let (piece, rest) = bytes.split_at(end.unwrap_or(room.min(bytes.len())));
            state.pending(stream).extend_from_slice(piece);
            bytes = rest;
            if end.is_some() {
                bytes = &bytes[1..];
                state.send(stream);
            } else if state.pending(stream).len() >= MAX_LINE {
                state.send(stream);
            }
        }
    }

    /// Sends a line of ours.
    fn say(&self, level: LoggingLevel, text: String) {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if wanted(state.least, level)
            && let Some(sender) = &state.sender
        {
            // The result says it too.
            let _ = sender.try_send(Line { level, text });
        }
    }

    /// Sends what has no end of line, says what was dropped, and closes.
    fn finish(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in [Stream::Stdout, Stream::Stderr] {
            if !state.pending(stream).is_empty() {
                state.send(stream);
            }
        }
        let Some(sender) = state.sender.take() else { return };
        if state.dropped > 0 {
            let text = format!("{} lines were not sent one by one, the result has them", state.dropped);
            let level = LoggingLevel::Warning;
            // If even this does not fit, the client reads nothing.
            let _ = sender.try_send(Line { level, text });
        }
    }
}

impl LineState {
    fn wants(&self, stream: Stream) -> bool {
        wanted(self.least, level(stream))
    }

    fn pending(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    fn send(&mut self, stream: Stream) {
        let now = Instant::now();
        let earned = now.duration_since(self.refilled).as_secs_f64() * LINES_PER_SECOND;
        self.allowance = (self.allowance + earned).min(LINES_BURST);
        self.refilled = now;
        let text = String::from_utf8_lossy(self.pending(stream)).into_owned();
        self.pending(stream).clear();
        let line = Line {
            level: level(stream),
            text,
        };
        let sent = self.allowance >= 1.0 && self.sender.as_ref().is_some_and(|sender| sender.try_send(line).is_ok());
        if sent {
            self.allowance -= 1.0;
        } else {
            self.dropped += 1;
        }
    }
}

fn level(stream: Stream) -> LoggingLevel {
    match stream {
        Stream::Stdout => LoggingLevel::Info,
        Stream::Stderr => LoggingLevel::Warning,
    }
}

async fn send_lines(peer: Peer<RoleServer>, mut lines: mpsc::Receiver<Line>, logger: Option<&'static str>) {
    while let Some(line) = lines.recv().await {
        let mut parameters = LoggingMessageNotificationParam::new(line.level, line.text.into());
        parameters.logger = logger.map(Into::into);
        let notification: LoggingMessageNotification = Notification::new(parameters);
        if peer.send_notification(notification.into()).await.is_err() {
            return;
        }
    }
}

/// Sends progress in seconds until the sender of what is done is gone: at once when that changes, else every second.
async fn send_progress(peer: Peer<RoleServer>, token: ProgressToken, mut doing: watch::Receiver<String>) {
    let began = Instant::now();
    let mut last = 0.0;
    loop {
        tokio::select! {
            changed = doing.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(PROGRESS_PERIOD) => {}
        }
        // Strictly more each time, as the protocol wants it.
        last = f64::max(last + 0.001, (began.elapsed().as_secs_f64() * 1e3).round() / 1e3);
        let message = doing.borrow_and_update().clone();
        let parameters = ProgressNotificationParam::new(token.clone(), last).with_message(message);
        let notification: ProgressNotification = Notification::new(parameters);
        if peer.send_notification(notification.into()).await.is_err() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(PROGRESS_GAP) => {}
            // The gap must not hold up a result.
            () = ended(&mut doing) => return,
        }
    }
}

/// Waits until the sender is gone.
async fn ended(doing: &mut watch::Receiver<String>) {
    let mut doing = doing.clone();
    while doing.changed().await.is_ok() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(least: LoggingLevel, room: usize) -> (Lines, mpsc::Receiver<Line>) {
        let (sender, receiver) = mpsc::channel(room);
        (Lines::new(sender, least), receiver)
    }

    fn all(mut receiver: mpsc::Receiver<Line>) -> Vec<(LoggingLevel, String)> {
        std::iter::from_fn(|| receiver.try_recv().ok())
            .map(|line| (line.level, line.text))
            .collect()
    }

    #[test]
    fn output_is_cut_into_lines() {
        let (lines, receiver) = lines(LoggingLevel::Debug, 100);
        lines.push(Stream::Stdout, b"a\nb");
        lines.push(Stream::Stderr, b"warn\xff\n");
        lines.push(Stream::Stdout, b"c\n\nlast");
        lines.push(Stream::Stderr, &[b'x'; MAX_LINE + 1]);
        lines.finish();
        let all = all(receiver);
        let (info, warning) = (LoggingLevel::Info, LoggingLevel::Warning);
        let expected = [
            (info, "a".to_owned()),
            (warning, "warn\u{fffd}".to_owned()),
            (info, "bc".to_owned()),
            (info, String::new()),
            (warning, "x".repeat(MAX_LINE)),
            (info, "last".to_owned()),
            (warning, "x".to_owned()),
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn what_is_not_wanted_is_not_sent() {
        let (lines, receiver) = lines(LoggingLevel::Warning, 100);
        lines.push(Stream::Stdout, b"a\n");
        lines.push(Stream::Stderr, b"b\n");
        lines.finish();
        assert_eq!(all(receiver), [(LoggingLevel::Warning, "b".to_owned())]);
    }

    #[test]
    fn a_flood_is_bounded_and_named() {
        let (lines, receiver) = lines(LoggingLevel::Info, 100_000);
        for _ in 0..100 {
            lines.push(Stream::Stdout, &b"x\n".repeat(1000));
        }
        lines.finish();
        let all = all(receiver);
        let burst = LINES_BURST as usize;
        assert!(all.len() > burst && all.len() < 2 * burst, "{}", all.len());
        assert!(all.last().is_some_and(|(_, text)| text.contains("lines were not sent")));
    }
}
