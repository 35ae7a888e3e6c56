//! Why an index, or a file on it, could not be used.

use std::time::Duration;

/// Why an index, or a file on it, could not be used. URLs in it are as [`crate::redacted`] writes them: without user, password and
/// query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IndexProblem {
    /// No answer: no such host, no connection, no trust in its certificate, or the connection ended early.
    #[error("`{url}` cannot be reached: {reason}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The answer is an error.
    #[error("`{url}` answered with status {status}, expected 200")]
    Status {
        /// What was asked for.
        url: String,
        /// The status of HTTP.
        status: u16,
    },
    /// Nothing came for a while.
    #[error("`{url}` sent nothing for {} s", waited.as_secs())]
    Stalled {
        /// What was asked for.
        url: String,
        /// How long.
        waited: Duration,
    },
    /// The answer comes, but so slowly that it would never end.
    #[error("`{url}` sent {found} bytes in {} s, expected at least {expected}", window.as_secs())]
    TooSlow {
        /// What was asked for.
        url: String,
        /// Bytes that came within the window.
        found: u64,
        /// Bytes that should have come.
        expected: u64,
        /// The time that was measured.
        window: Duration,
    },
    /// The answer is longer than anything honest.
    #[error("`{url}` is longer than expected: at most {limit} bytes")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// How much it may be.
        limit: u64,
    },
    /// The answer ends too early, or its length is not the one that was announced.
    #[error("`{url}` has {found} bytes, expected {expected}")]
    Length {
        /// What was asked for.
        url: String,
        /// Bytes that came.
        found: u64,
        /// Bytes that were announced.
        expected: u64,
    },
    /// A redirect that is not followed.
    #[error("`{url}` redirects to `{to}`, {reason}")]
    Redirect {
        /// What was asked for.
        url: String,
        /// Where it leads.
        to: String,
        /// Why it is not followed.
        reason: &'static str,
    },
    /// Everything together took more than one resolution or installation may.
    #[error("packages were not found within the budget of {limit} {unit}")]
    Budget {
        /// The part of the budget that is used up.
        limit: u64,
        /// Seconds, bytes or requests.
        unit: &'static str,
    },
    /// What is needed is not in the cache, and nothing may be asked for.
    #[error("`{what}` is not in the cache, and this is offline")]
    Offline {
        /// What is needed.
        what: String,
    },
    /// An answer that is no page of an index, such as the login page of a network.
    #[error("`{url}` is not a page of a package index: {reason}")]
    NotAnIndex {
        /// What was asked for.
        url: String,
        /// How it can be seen.
        reason: String,
    },
    /// A page about something else than was asked for.
    #[error("`{url}` is about `{found}`, expected `{expected}`")]
    OtherProject {
        /// What was asked for.
        url: String,
        /// What it is about.
        found: String,
        /// What was asked for.
        expected: String,
    },
    /// A page of an index that does not read.
    #[error("the page `{url}` does not read: {reason}")]
    Page {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The metadata beside a wheel are not those the index announced.
    #[error("the metadata of `{filename}` have sha256 {found}, expected {expected}")]
    MetadataDigest {
        /// The wheel's file name.
        filename: String,
        /// Digest of the bytes that came.
        found: String,
        /// Digest that was announced.
        expected: String,
    },
    /// A wheel says something else about itself than the index said before.
    #[error("wheel `{filename}` has other metadata than the index gave for it")]
    MetadataDiffers {
        /// The wheel's file name.
        filename: String,
    },
    /// The index gives no digest for a wheel, and one is required.
    #[error("wheel `{filename}` has no sha256 on its index, expected one")]
    NoHash {
        /// The wheel's file name.
        filename: String,
    },
    /// A wheel that should come with the program does not.
    #[error("wheel `{filename}` is not among those that come with the program")]
    NotBundled {
        /// The wheel's file name.
        filename: String,
    },
    /// A local file cannot be read.
    #[error("local file `{filename}` cannot be read: {reason}")]
    LocalFile {
        /// Its name, without the folder.
        filename: String,
        /// What the system said.
        reason: String,
    },
    /// A setting does not read.
    #[error("setting `{name}` {reason}")]
    Setting {
        /// The environment variable, or the option of a configuration file.
        name: String,
        /// What is wrong with it; never its value, which may contain a password.
        reason: String,
    },
}

impl IndexProblem {
    /// Whether trying again may help.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            IndexProblem::Unreachable { .. } | IndexProblem::Stalled { .. } | IndexProblem::Length { .. } => true,
            IndexProblem::Status { status, .. } => matches!(status, 408 | 429 | 500..=599),
            _ => false,
        }
    }

    /// Whether a page kept from before is better than this.
    pub(crate) fn allows_stale(&self) -> bool {
        self.is_transient() || matches!(self, IndexProblem::TooSlow { .. } | IndexProblem::NotAnIndex { .. })
    }

    /// What to do about it, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            IndexProblem::Unreachable { reason, .. } if reason.contains("certificate") => {
                "name the file with the certificates to trust in SSL_CERT_FILE or PIP_CERT"
            }
            IndexProblem::Unreachable { .. } | IndexProblem::Stalled { .. } | IndexProblem::TooSlow { .. } => {
                "check the connection, set another index, or ask for packages that are bundled or in the cache"
            }
            IndexProblem::Status { status: 401 | 403, .. } => {
                "put user and password into the URL of the index, or set another index"
            }
            IndexProblem::Status { .. } | IndexProblem::Budget { .. } => "try again later, or set another index",
            IndexProblem::Offline { .. } => "ask once with a connection, or for packages that are bundled",
            IndexProblem::NotAnIndex { .. } => {
                "the network may ask for a login first; else check the URL of the index, which usually ends in `/simple/`"
            }
            IndexProblem::Setting { .. } => {
                "give a URL such as `https://host/simple/`, or the path of a folder with wheels"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_was_found_and_what_to_do() {
        let url = || "https://host/simple/a/".to_owned();
        let cases = [
            (
                IndexProblem::Unreachable {
                    url: url(),
                    reason: "Connection refused (os error 111)".into(),
                },
                "`https://host/simple/a/` cannot be reached: Connection refused (os error 111)",
                "check the connection, set another index, or ask for packages that are bundled or in the cache",
            ),
            (
                IndexProblem::Unreachable {
                    url: url(),
                    reason: "invalid peer certificate: UnknownIssuer".into(),
                },
                "`https://host/simple/a/` cannot be reached: invalid peer certificate: UnknownIssuer",
                "name the file with the certificates to trust in SSL_CERT_FILE or PIP_CERT",
            ),
            (
                IndexProblem::Status {
                    url: url(),
                    status: 503,
                },
                "`https://host/simple/a/` answered with status 503, expected 200",
                "try again later, or set another index",
            ),
            (
                IndexProblem::Status {
                    url: url(),
                    status: 401,
                },
                "`https://host/simple/a/` answered with status 401, expected 200",
                "put user and password into the URL of the index, or set another index",
            ),
            (
                IndexProblem::Budget {
                    limit: 60,
                    unit: "seconds",
                },
                "packages were not found within the budget of 60 seconds",
                "try again later, or set another index",
            ),
            (
                IndexProblem::Offline { what: url() },
                "`https://host/simple/a/` is not in the cache, and this is offline",
                "ask once with a connection, or for packages that are bundled",
            ),
            (
                IndexProblem::MetadataDiffers {
                    filename: "a-1-py3-none-any.whl".into(),
                },
                "wheel `a-1-py3-none-any.whl` has other metadata than the index gave for it",
                "",
            ),
        ];
        for (problem, message, hint) in cases {
            assert_eq!(problem.to_string(), message);
            assert_eq!(problem.hint().unwrap_or_default(), hint);
        }
    }
}
