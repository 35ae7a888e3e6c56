//! The content of an answer: counted, timed and bounded while it comes.

use super::{Connections, Patience};
use crate::budget::Budget;
use crate::problem::IndexProblem;
use flate2::read::MultiGzDecoder;
use reqwest::Response;
use std::io::{self, Read};
use std::time::Instant;

/// What an answer is read with.
pub(super) struct Circumstances<'b> {
    pub(super) connections: &'b Connections,
    pub(super) budget: &'b Budget,
    pub(super) patience: Patience,
    /// Bytes the content may have.
    pub(super) limit: u64,
    /// The length the server announced.
    pub(super) announced: Option<u64>,
    /// What messages call it.
    pub(super) shown: String,
}

/// What comes over the network, counted and timed.
struct Received<'b> {
    connections: &'b Connections,
    response: Response,
    /// What came and was not read yet.
    pending: Vec<u8>,
    at: usize,
    budget: &'b Budget,
    patience: Patience,
    shown: String,
    /// When the current window began, and what came in it.
    window: (Instant, u64),
    /// Why reading failed: decoders pass on no more than that it did.
    problem: Option<IndexProblem>,
}

impl Received<'_> {
    /// Waits for more; false at the end.
    fn receive(&mut self) -> Result<bool, IndexProblem> {
        let url = || self.shown.clone();
        let at_most = self.patience.idle.min(self.budget.remaining()?);
        let part = match self.connections.wait(at_most, self.response.chunk()) {
            Some(Ok(part)) => part,
            Some(Err(_)) => {
                return Err(IndexProblem::Unreachable {
                    url: url(),
                    reason: "the connection ended before the answer did".to_owned(),
                });
            }
            None => {
                self.budget.remaining()?;
                let waited = self.patience.idle;
                return Err(IndexProblem::Stalled { url: url(), waited });
            }
        };
        let Some(part) = part else { return Ok(false) };
        self.count(part.len() as u64)?;
        self.pending.clear();
        self.pending.extend_from_slice(&part);
        self.at = 0;
        Ok(true)
    }

    fn count(&mut self, bytes: u64) -> Result<(), IndexProblem> {
        self.budget.receive(bytes)?;
        let (expected, window) = self.patience.rate;
        self.window.1 += bytes;
        if self.window.0.elapsed() >= window {
            if self.window.1 < expected {
                return Err(IndexProblem::TooSlow {
                    url: self.shown.clone(),
                    found: self.window.1,
                    expected,
                    window,
                });
            }
            self.window = (Instant::now(), 0);
        }
        Ok(())
    }
}

impl Read for Received<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.pending.len() {
            match self.receive() {
                Ok(true) => {}
                Ok(false) => return Ok(0),
                Err(problem) => {
                    self.problem = Some(problem);
                    return Err(io::Error::other("see the problem"));
                }
            }
        }
        let waiting = &self.pending[self.at..];
        let count = waiting.len().min(buffer.len());
        buffer[..count].copy_from_slice(&waiting[..count]);
        self.at += count;
        Ok(count)
    }
}

enum Content<'b> {
    Plain(Box<Received<'b>>),
    Gzip(Box<MultiGzDecoder<Received<'b>>>),
}

/// The content of an answer.
pub(crate) struct Body<'b> {
    source: Content<'b>,
    limit: u64,
    announced: Option<u64>,
    shown: String,
}

impl<'b> Body<'b> {
    pub(super) fn new(response: Response, around: Circumstances<'b>, is_gzip: bool) -> Body<'b> {
        let Circumstances {
            connections,
            budget,
            patience,
            limit,
            announced,
            shown,
        } = around;
        let received = Received {
            connections,
            response,
            pending: vec![],
            at: 0,
            budget,
            patience,
            shown: shown.clone(),
            window: (Instant::now(), 0),
            problem: None,
        };
        let source = if is_gzip {
            Content::Gzip(Box::new(MultiGzDecoder::new(received)))
        } else {
            Content::Plain(Box::new(received))
        };
        Body {
            source,
            limit,
            announced,
            shown,
        }
    }

    /// The length the server announced.
    pub(crate) fn announced(&self) -> Option<u64> {
        self.announced
    }

    /// Reads to the end, part by part; gives the length.
    pub(crate) fn each<E: From<IndexProblem>>(
        &mut self,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<u64, E> {
        let mut buffer = vec![0; 64 << 10];
        let mut found = 0u64;
        loop {
            let read = match &mut self.source {
                Content::Plain(source) => source.read(&mut buffer),
                Content::Gzip(source) => source.read(&mut buffer),
            };
            let count = match read {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Err(self.problem().into()),
            };
            found += count as u64;
            if found > self.limit {
                let (url, limit) = (self.shown.clone(), self.limit);
                return Err(IndexProblem::TooLarge { url, limit }.into());
            }
            take(&buffer[..count])?;
        }
        match self.announced {
            Some(expected) if expected != found => Err(IndexProblem::Length {
                url: self.shown.clone(),
                found,
                expected,
            }
            .into()),
            _ => Ok(found),
        }
    }

    fn problem(&mut self) -> IndexProblem {
        let source = match &mut self.source {
            Content::Plain(source) => &mut **source,
            Content::Gzip(source) => source.get_mut(),
        };
        source.problem.take().unwrap_or_else(|| IndexProblem::Page {
            url: self.shown.clone(),
            reason: "its compression is damaged".into(),
        })
    }
}
