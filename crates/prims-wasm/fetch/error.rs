//! What may go wrong, in words that a client may read.

use std::time::Duration;

/// A fetch or an upload that did not happen, or not wholly. Messages contain no user name, password, query or resolved address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The text is no URL.
    #[error("not a URL, expected for example https://host.example/data.csv")]
    NotAUrl,
    /// The URL's scheme is not one that is fetched.
    #[error("`{url}` has the scheme `{scheme}`, expected {expected}")]
    Scheme {
        /// The URL, redacted.
        url: String,
        /// What it has.
        scheme: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// The URL leads to an address that is not public.
    #[error("`{url}` leads to an address that is not public ({range})")]
    Denied {
        /// The URL, redacted.
        url: String,
        /// The kind of address.
        range: &'static str,
    },
    /// The name has no address.
    #[error("the host of `{url}` is not known")]
    UnknownHost {
        /// The URL, redacted.
        url: String,
    },
    /// One redirect too many.
    #[error("`{url}` is redirected more than {most} times")]
    TooManyRedirects {
        /// The URL, redacted.
        url: String,
        /// How often it may be.
        most: usize,
    },
    /// A redirect without a place to go, or to something that is no URL.
    #[error("`{url}` is redirected to nothing that is a URL")]
    BadRedirect {
        /// The URL, redacted.
        url: String,
    },
    /// The server said no.
    #[error("`{url}` answered with status {status}")]
    Status {
        /// The URL, redacted.
        url: String,
        /// The status.
        status: u16,
    },
    /// More bytes than are taken.
    #[error("`{url}` has more than {most} bytes")]
    TooLarge {
        /// The URL, redacted.
        url: String,
        /// How many are taken.
        most: u64,
    },
    /// The answer is compressed although that was declined.
    #[error("`{url}` answered with the encoding `{encoding}`, expected none")]
    Encoded {
        /// The URL, redacted.
        url: String,
        /// Which one.
        encoding: String,
    },
    /// The body is shorter than announced, or the connection broke.
    #[error("`{url}` ended before it was complete")]
    Truncated {
        /// The URL, redacted.
        url: String,
    },
    /// Too little comes in too much time.
    #[error("`{url}` sent less than {least} bytes in {window:?}")]
    TooSlow {
        /// The URL, redacted.
        url: String,
        /// How much is expected.
        least: u64,
        /// In which time.
        window: Duration,
    },
    /// The time for all of it is over.
    #[error("`{url}` took more than {limit:?}")]
    Timeout {
        /// The URL, redacted.
        url: String,
        /// How long it may take.
        limit: Duration,
    },
    /// No connection, or it broke.
    #[error("cannot reach `{url}`")]
    Unreachable {
        /// The URL, redacted.
        url: String,
        /// What happened; for the log, it may contain addresses.
        reason: String,
    },
    /// Too many fetches at the same time.
    #[error("too many fetches are in progress")]
    Busy,
    /// The file to upload is too large.
    #[error("{length} bytes are to be uploaded, at most {most} are allowed")]
    UploadTooLarge {
        /// How many they are.
        length: u64,
        /// How many they may be.
        most: u64,
    },
    /// An entry of the list of what is reachable cannot be read.
    #[error("`{0}` is neither a host name nor a network")]
    Allow(String),
    /// The client cannot be set up.
    #[error("cannot set up encrypted connections: {0}")]
    Setup(String),
}

impl FetchError {
    /// What to do about it, where there is something to do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            FetchError::Denied { .. } => Some("an operator can allow the host with --fetch-allow"),
            FetchError::Scheme { scheme, .. } if scheme == "http" => {
                Some("use https, or ask the operator for --allow-http-fetch")
            }
            FetchError::Busy => Some("try again in a moment"),
            _ => None,
        }
    }
}
