//! What the guest writes to its standard output and standard error: kept within a bound, in order of arrival.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::stop::{StopReason, Stopped, Watch};

/// One of the two streams a guest writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// File descriptor 1.
    Stdout,
    /// File descriptor 2.
    Stderr,
}

/// What happens once a stream holds more than its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Overflow {
    /// The first three quarters and the last quarter of the limit are kept, and the run goes on.
    #[default]
    KeepEnds,
    /// What fits is kept and the run is stopped with [`StopReason::Output`].
    Stop,
}

/// Gets every byte as it is written, in pieces of at most 64 KiB, whether or not it is kept. It runs on the guest's
/// thread: while it blocks, the guest waits and cannot be stopped.
pub(crate) type Sink = Arc<dyn Fn(Stream, &[u8]) + Send + Sync>;

/// How the output of a run is captured.
#[derive(Clone)]
pub(crate) struct Output {
    /// The most bytes kept of each stream.
    pub(crate) limit: usize,
    /// What to do with more than that.
    pub(crate) overflow: Overflow,
    /// Where to send the output as it is written.
    pub(crate) sink: Option<Sink>,
}

impl Output {
    /// The limit of each stream unless somebody asks for another: 1 MiB.
    pub(crate) const DEFAULT_LIMIT: usize = 1 << 20;
}

impl Default for Output {
    fn default() -> Output {
        Output {
            limit: Output::DEFAULT_LIMIT,
            overflow: Overflow::KeepEnds,
            sink: None,
        }
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sink = self.sink.as_ref().map(|_| "..");
        f.debug_struct("Output")
            .field("limit", &self.limit)
            .field("overflow", &self.overflow)
            .field("sink", &sink)
            .finish()
    }
}

/// What is left of one stream at the end of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CapturedStream {
    /// What was kept: the beginning and, if something was omitted, the end.
    pub(crate) bytes: Vec<u8>,
    /// Where in `bytes` the omitted part was: everything before is the beginning, everything from here is the end.
    pub(crate) gap: usize,
    /// How many bytes were omitted at `gap`. The stream was truncated if this is not 0.
    pub(crate) omitted: u64,
    /// How many bytes were written in all.
    pub(crate) total: u64,
}

impl CapturedStream {
    /// Whether something was omitted.
    #[cfg(test)]
    pub(crate) fn truncated(&self) -> bool {
        self.omitted > 0
    }
}

/// A piece of one stream; pieces are in order of arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// Which stream it was written to.
    pub(crate) stream: Stream,
    /// Where it is in [`CapturedStream::bytes`]. It never spans the gap of a truncated stream.
    pub(crate) range: Range<usize>,
}

/// The output of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Captured {
    /// What was written to descriptor 1.
    pub(crate) stdout: CapturedStream,
    /// What was written to descriptor 2.
    pub(crate) stderr: CapturedStream,
    /// All of what was kept, both streams together, in order of arrival.
    pub(crate) chunks: Vec<Chunk>,
    /// Whether `chunks` is exact: false if the guest changed streams so often that only the order of its first and last
    /// few thousand changes was kept.
    pub(crate) order_exact: bool,
}

impl Captured {
    /// The named stream.
    pub(crate) fn stream(&self, stream: Stream) -> &CapturedStream {
        match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        }
    }

    /// Both streams together, in order of arrival.
    #[cfg(test)]
    pub(crate) fn in_order(&self) -> impl Iterator<Item = (Stream, &[u8])> {
        self.chunks.iter().map(|chunk| {
            (
                chunk.stream,
                self.stream(chunk.stream)
                    .bytes
                    .get(chunk.range.clone())
                    .unwrap_or_default(),
            )
        })
    }
}

/// How many changes of stream are remembered from the beginning, and as many from the end.
const ORDER_ENDS: usize = 4096;
/// The most bytes the sink is given at once.
const SINK_PIECE: usize = 64 << 10;

/// Collects the output of a run that is under way.
#[derive(Debug)]
pub(super) struct Capture {
    output: Output,
    stdout: Kept,
    stderr: Kept,
    first: Vec<Written>,
    last: VecDeque<Written>,
    /// Whether an entry was lost between `first` and `last`.
    order_lost: bool,
}

/// A range of a stream, counted from its first byte ever written.
#[derive(Clone, Copy, Debug)]
struct Written {
    stream: Stream,
    from: u64,
    to: u64,
}

#[derive(Debug, Default)]
struct Kept {
    total: u64,
    head: Vec<u8>,
    tail: VecDeque<u8>,
}

impl Capture {
    /// Allocates nothing: most runs write little or nothing.
    pub(super) fn new(output: Output) -> Capture {
        Capture {
            output,
            stdout: Kept::default(),
            stderr: Kept::default(),
            first: Vec::new(),
            last: VecDeque::new(),
            order_lost: false,
        }
    }

    /// Takes over `bytes`. The work is bounded by the limit and does not grow with `bytes`, except for the sink.
    pub(super) fn write(&mut self, stream: Stream, bytes: &[u8], watch: &Watch) -> Result<(), Stopped> {
        let (limit, stop) = (self.output.limit, self.output.overflow == Overflow::Stop);
        let kept = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let accepted = if stop {
            let room = (limit as u64).saturating_sub(kept.total);
            &bytes[..bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX))]
        } else {
            bytes
        };
        if !accepted.is_empty() {
            let from = kept.total;
            // What stops at the limit has no use for a tail.
            kept.push(
                accepted,
                if stop { limit } else { limit - limit / 4 },
                if stop { 0 } else { limit / 4 },
            );
            let to = kept.total;
            self.note(Written { stream, from, to });
            if let Some(sink) = &self.output.sink {
                for piece in accepted.chunks(SINK_PIECE) {
                    sink(stream, piece);
                    if accepted.len() > SINK_PIECE {
                        watch.check()?;
                    }
                }
            }
        }
        if accepted.len() < bytes.len() {
            Err(Stopped(StopReason::Output))
        } else {
            Ok(())
        }
    }

    fn note(&mut self, written: Written) {
        let newest = self.last.back_mut().or(self.first.last_mut());
        if let Some(newest) = newest
            && newest.stream == written.stream
            && newest.to == written.from
        {
            newest.to = written.to;
        } else if self.first.len() < ORDER_ENDS {
            self.first.push(written);
        } else {
            if self.last.len() == ORDER_ENDS {
                self.last.pop_front();
                self.order_lost = true;
            }
            self.last.push_back(written);
        }
    }

    /// Ends the capture.
    pub(super) fn finish(self) -> Captured {
        let mut captured = Captured {
            stdout: self.stdout.finish(),
            stderr: self.stderr.finish(),
            chunks: Vec::with_capacity(self.first.len() + self.last.len()),
            order_exact: !self.order_lost,
        };
        // Up to where each stream is covered by chunks. What lost entries would have covered goes to the next entry of the
        // same stream, and there is one: neighbouring entries never name the same stream.
        let mut covered = (0, 0);
        for written in self.first.into_iter().chain(self.last) {
            let mark = match written.stream {
                Stream::Stdout => &mut covered.0,
                Stream::Stderr => &mut covered.1,
            };
            let from = std::mem::replace(mark, written.to);
            captured.place(Written { from, ..written });
        }
        captured
    }
}

impl Captured {
    /// Adds what was kept of a range as chunks.
    fn place(&mut self, written: Written) {
        let Written { stream, from, to } = written;
        let kept = self.stream(stream);
        let (gap, kept_whole) = (kept.gap as u64, kept.omitted == 0);
        let resume = gap + kept.omitted;
        let head = (from.min(gap), to.min(gap));
        let tail = (from.max(resume) - kept.omitted, to.max(resume) - kept.omitted);
        for (from, to) in [head, tail] {
            let (Ok(from), Ok(to)) = (usize::try_from(from), usize::try_from(to)) else {
                continue;
            };
            if from >= to {
                continue;
            }
            let whole = kept_whole || from != gap as usize;
            match self.chunks.last_mut() {
                Some(last) if whole && last.stream == stream && last.range.end == from => last.range.end = to,
                _ => self.chunks.push(Chunk {
                    stream,
                    range: from..to,
                }),
            }
        }
    }
}

impl Kept {
    fn push(&mut self, bytes: &[u8], head_limit: usize, tail_limit: usize) {
        self.total = self.total.saturating_add(bytes.len() as u64);
        let room = head_limit.saturating_sub(self.head.len()).min(bytes.len());
        let (head, rest) = bytes.split_at(room);
        self.head.extend_from_slice(head);
        if rest.is_empty() {
            return;
        }
        let rest = &rest[rest.len().saturating_sub(tail_limit)..];
        let excess = (self.tail.len() + rest.len()).saturating_sub(tail_limit);
        self.tail.drain(..excess);
        self.tail.extend(rest);
    }

    fn finish(self) -> CapturedStream {
        let gap = self.head.len();
        let mut bytes = self.head;
        let (front, back) = self.tail.as_slices();
        bytes.reserve_exact(front.len() + back.len());
        bytes.extend_from_slice(front);
        bytes.extend_from_slice(back);
        let omitted = self.total - bytes.len() as u64;
        CapturedStream {
            gap,
            omitted,
            total: self.total,
            bytes,
        }
    }
}
