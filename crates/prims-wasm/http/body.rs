//! The body of a request: of one type, of bounded size, within a time, and of a shape that costs little to parse.

use super::answer::Problem;
use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use axum::http::{HeaderMap, Method};
use http_body_util::BodyExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Arrays and objects inside each other. The parser itself gives up at 128.
const MAX_DEPTH: usize = 100;
/// Values in one body: what a parser builds of each takes far more than the two bytes it may be written in.
const MAX_VALUES: usize = 500_000;

/// Read of a body that was refused.
const MAX_DISCARDED: usize = 64 << 20;
/// For as long.
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// JSON, whose shape is looked at.
    Json,
    /// Anything.
    Bytes,
}

/// Takes bodies.
#[derive(Clone, Debug)]
pub(super) struct Bodies {
    pub(super) most: usize,
    pub(super) time: Duration,
    /// Kibibytes that all bodies together may hold.
    pub(super) budget: Arc<Semaphore>,
}

/// A body, and its part of the budget.
pub(super) struct Taken {
    pub(super) bytes: Bytes,
    _budget: Option<OwnedSemaphorePermit>,
}

impl Bodies {
    pub(super) fn new(most: usize, time: Duration) -> Bodies {
        let budget = (16 * most).max(256 << 20) >> 10;
        Bodies {
            most,
            time,
            budget: Arc::new(Semaphore::new(budget.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// What the head says about the body, before any of it is read.
    pub(super) fn announced(&self, kind: Kind, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
        let length = headers
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if method != Method::POST {
            let has_body = headers.contains_key(TRANSFER_ENCODING) || length.is_some_and(|length| length > 0);
            return if has_body { Err(Problem::UnexpectedBody) } else { Ok(()) };
        }
        let mut types = headers.get_all(CONTENT_TYPE).iter();
        let essence = types.next().and_then(|value| value.to_str().ok()?.split(';').next());
        let json = essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"));
        let plain = types.next().is_none() && !headers.contains_key(CONTENT_ENCODING);
        if kind == Kind::Json && !(json && plain) {
            return Err(Problem::ContentType);
        }
        if length.is_some_and(|length| length > self.most as u64) {
            return Err(Problem::TooLarge(self.most));
        }
        Ok(())
    }

    /// Reads a body, and looks at its shape if it is JSON.
    pub(super) async fn take(&self, kind: Kind, mut body: Body) -> Result<Taken, Problem> {
        let taken = tokio::time::timeout(self.time, self.read(&mut body)).await;
        let taken = taken.map_err(|_| Problem::TooSlow)?;
        if let Err(Problem::TooLarge(_) | Problem::Overloaded) = taken {
            discard(body);
        }
        let taken = taken?;
        if kind == Kind::Json {
            shape(&taken.bytes)?;
        }
        Ok(taken)
    }

    async fn read(&self, body: &mut Body) -> Result<Taken, Problem> {
        let (mut bytes, mut held) = (Vec::new(), None::<OwnedSemaphorePermit>);
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Problem::Incomplete)?.into_data() else {
                continue;
            };
            if bytes.len() + data.len() > self.most {
                return Err(Problem::TooLarge(self.most));
            }
            let more = u32::try_from((data.len() >> 10) + 1).unwrap_or(u32::MAX);
            let more = self
                .budget
                .clone()
                .try_acquire_many_owned(more)
                .map_err(|_| Problem::Overloaded)?;
            match &mut held {
                Some(held) => held.merge(more),
                None => held = Some(more),
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Taken {
            bytes: bytes.into(),
            _budget: held,
        })
    }
}

/// Reads on for a while and keeps nothing: a client that is still sending when its connection is closed does not see the answer
/// that says why.
pub(super) fn discard(mut body: Body) {
    tokio::spawn(async move {
        let read = async {
            let mut left = MAX_DISCARDED;
            while let Some(Ok(frame)) = body.frame().await {
                let length = frame.data_ref().map_or(0, Bytes::len);
                match left.checked_sub(length) {
                    Some(rest) => left = rest,
                    None => break,
                }
            }
        };
        let _ = tokio::time::timeout(DISCARD_TIME, read).await;
    });
}

/// Counts what a parser would build, in one pass that allocates nothing. It need not know whether the text is JSON.
fn shape(bytes: &[u8]) -> Result<(), Problem> {
    let (mut depth, mut values) = (0usize, 1usize);
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => {
                while let Some(byte) = rest.next() {
                    match byte {
                        b'\\' => drop(rest.next()),
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            b'[' | b'{' => (depth, values) = (depth + 1, values + 1),
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' => values += 1,
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(Problem::TooDeep(MAX_DEPTH));
        }
        if values > MAX_VALUES {
            return Err(Problem::TooMany(MAX_VALUES));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        assert_eq!(shape(br#"{"a": ["[[[[,,,,\"{", {}]}"#), Ok(()));
        let deep = "[".repeat(100_000);
        assert_eq!(shape(deep.as_bytes()), Err(Problem::TooDeep(MAX_DEPTH)));
        assert_eq!(shape("[".repeat(MAX_DEPTH).as_bytes()), Ok(()));
        assert_eq!(
            shape("{\"a\":".repeat(MAX_DEPTH + 1).as_bytes()),
            Err(Problem::TooDeep(MAX_DEPTH))
        );
        let wide = format!("[{}1]", "1,".repeat(MAX_VALUES));
        assert_eq!(shape(wide.as_bytes()), Err(Problem::TooMany(MAX_VALUES)));
        for odd in ["\"", "\"\\", "\\\"", "]]]]", "", "\u{feff}{}"] {
            assert_eq!(shape(odd.as_bytes()), Ok(()), "{odd}");
        }
    }
}
