//! Getting what a client names by URL: a seam. Who implements it decides which addresses may be reached.

use std::pin::Pin;

/// A fetch under way. Dropping it ends it.
pub type Fetching<T> = Pin<Box<dyn Future<Output = Result<T, FetchError>> + Send>>;

/// Gets and puts files by URL.
pub trait Fetcher: Send + Sync {
    /// Gets at most `max_bytes`.
    fn get(&self, url: &str, max_bytes: u64) -> Fetching<Fetched>;

    /// Bytes that are sent to one URL at most.
    fn max_upload(&self) -> u64;

    /// Sends the bytes with an HTTP PUT; the status the other side answered with.
    fn put(&self, url: &str, bytes: Vec<u8>) -> Fetching<u16>;
}

/// What was got.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Why a URL was not got or put.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct FetchError {
    /// What to tell the client; contains no query of a URL.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Refuses every URL.
pub struct NoFetcher;

fn refused<T: Send + 'static>() -> Fetching<T> {
    Box::pin(std::future::ready(Err(FetchError {
        message: "fetching by URL is not available on this server".into(),
        hint: Some("send the bytes as `content` or `content_base64`".into()),
    })))
}

impl Fetcher for NoFetcher {
    fn get(&self, _: &str, _: u64) -> Fetching<Fetched> {
        refused()
    }

    fn max_upload(&self) -> u64 {
        // To be refused a file is not read.
        0
    }

    fn put(&self, _: &str, _: Vec<u8>) -> Fetching<u16> {
        refused()
    }
}
