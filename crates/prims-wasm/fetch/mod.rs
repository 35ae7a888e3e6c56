//! Fetching and uploading by URL, on behalf of a caller who must not reach what only this machine can reach.
//!
//! There is one [`Fetcher`]. A URL must be https (an operator may allow http); its host is resolved by a resolver that refuses every
//! name with an address that is not public, and exactly the resolved addresses are connected to; redirects are followed here, at
//! most five, each checked like the first URL and without the credentials of the last. Proxies of the environment are not used:
//! they would resolve names themselves. Size, time and rate are bounded. What errors show has no query and no credentials.

mod address;
mod error;
mod resolver;

pub use error::FetchError;
pub use resolver::Lookup;

use crate::settings::FetchSettings;
use address::Network;
use axum::body::Bytes;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use reqwest::{Response, StatusCode};
use resolver::{GuardedResolver, NotPublic, Unknown};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

/// How often a URL may lead to another one.
const MAX_REDIRECTS: usize = 5;
/// A URL longer than this is not one that people use.
const MAX_URL: usize = 8192;
/// Fetches and uploads at a time; each may hold its bytes in memory.
const MAX_CONCURRENT: usize = 8;
/// Connecting takes at most this long, encryption included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What may be reached, and how much of it.
#[derive(Debug)]
struct Policy {
    allow_http: bool,
    hosts: BTreeSet<String>,
    networks: Vec<Network>,
    max_bytes: u64,
    max_upload: u64,
    timeout: Duration,
    pace: Pace,
}

/// The least that must come.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// So many bytes …
    pub bytes: u64,
    /// … in each such span.
    pub window: Duration,
}

impl Pace {
    /// 1 KiB a second, looked at twice a minute.
    pub const DEFAULT: Pace = Pace {
        bytes: 30 << 10,
        window: Duration::from_secs(30),
    };
}

/// What was fetched.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// All of it.
    pub bytes: Bytes,
    /// The type the server names, without parameters.
    pub mime: Option<String>,
}

/// Fetches and uploads.
#[derive(Clone)]
pub struct Fetcher {
    client: reqwest::Client,
    policy: Arc<Policy>,
    running: Arc<Semaphore>,
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetcher")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl Fetcher {
    /// A fetcher that resolves names as the system does.
    pub fn new(settings: &FetchSettings) -> Result<Fetcher, FetchError> {
        Fetcher::with(settings, resolver::system(), Pace::DEFAULT)
    }

    /// The same with another way to resolve names and another pace.
    pub fn with(settings: &FetchSettings, lookup: Lookup, pace: Pace) -> Result<Fetcher, FetchError> {
        let (mut hosts, mut networks) = (BTreeSet::new(), vec![]);
        for entry in &settings.allow {
            match (Network::parse(entry), Host::parse(entry)) {
                (Some(network), _) => networks.push(network),
                (None, Ok(Host::Domain(name))) if !name.contains('/') => {
                    hosts.insert(name.trim_end_matches('.').to_owned());
                }
                _ => return Err(FetchError::Allow(entry.clone())),
            }
        }
        let policy = Arc::new(Policy {
            allow_http: settings.allow_http,
            hosts,
            networks,
            max_bytes: settings.max_bytes.0,
            max_upload: settings.max_upload.0,
            timeout: settings.timeout,
            pace,
        });
        Ok(Fetcher {
            client: client(lookup, &policy)?,
            policy,
            running: Arc::new(Semaphore::new(MAX_CONCURRENT)),
        })
    }

    /// Fetches a URL that a caller named. `max_bytes` counts if it is less than what the operator allows.
    pub async fn get(&self, url: &str, max_bytes: u64) -> Result<Fetched, FetchError> {
        let _running = self.running.try_acquire().map_err(|_| FetchError::Busy)?;
        let first = parse(url)?;
        let deadline = Instant::now() + self.policy.timeout;
        let most = max_bytes.min(self.policy.max_bytes);
        match timeout_at(deadline, self.follow(first.clone(), most)).await {
            Ok(done) => done,
            Err(_) => Err(FetchError::Timeout {
                url: redacted(&first),
                limit: self.policy.timeout,
            }),
        }
    }

    async fn follow(&self, first: Url, most: u64) -> Result<Fetched, FetchError> {
        let mut url = first.clone();
        for _ in 0..=MAX_REDIRECTS {
            self.check(&url)?;
            let request = self.client.get(url.clone()).header(ACCEPT_ENCODING, "identity");
            let response = self
                .paced(&url, request.send())
                .await?
                .map_err(|error| failure(&url, &error))?;
            let status = response.status();
            if matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                url = next(&url, &response)?;
                continue;
            }
            if status != StatusCode::OK {
                return Err(FetchError::Status {
                    url: redacted(&url),
                    status: status.as_u16(),
                });
            }
            return self.take(url, response, most).await;
        }
        Err(FetchError::TooManyRedirects {
            url: redacted(&first),
            most: MAX_REDIRECTS,
        })
    }

    /// Takes a body within its bounds.
    async fn take(&self, url: Url, mut response: Response, most: u64) -> Result<Fetched, FetchError> {
        let headers = response.headers();
        let text = |name| {
            headers
                .get(name)
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        if let Some(encoding) = text(CONTENT_ENCODING).filter(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
            return Err(FetchError::Encoded {
                url: redacted(&url),
                encoding: encoding.chars().take(40).collect(),
            });
        }
        let mime = text(CONTENT_TYPE).and_then(|value| essence(&value));
        let too_large = || FetchError::TooLarge {
            url: redacted(&url),
            most,
        };
        if response.content_length().is_some_and(|length| length > most) {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        let mut window = (Instant::now(), 0);
        loop {
            let chunk = timeout_at(window.0 + self.policy.pace.window, response.chunk()).await;
            let chunk = match chunk {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => break,
                Ok(Err(error)) if error.is_timeout() => return Err(failure(&url, &error)),
                Ok(Err(_)) => return Err(FetchError::Truncated { url: redacted(&url) }),
                Err(_) => return Err(self.too_slow(&url)),
            };
            if (bytes.len() + chunk.len()) as u64 > most {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
            window.1 += chunk.len() as u64;
            if window.1 >= self.policy.pace.bytes {
                window = (Instant::now(), 0);
            }
        }
        Ok(Fetched {
            bytes: bytes.into(),
            mime,
        })
    }

    /// Uploads bytes to a URL that a caller named, with PUT; the status of success. Redirects are not followed: the place was agreed
    /// on. No type is named: a presigned URL may be signed for one, or for none.
    pub async fn put(&self, url: &str, bytes: Bytes) -> Result<u16, FetchError> {
        let length = bytes.len() as u64;
        if length > self.policy.max_upload {
            return Err(FetchError::UploadTooLarge {
                length,
                most: self.policy.max_upload,
            });
        }
        let _running = self.running.try_acquire().map_err(|_| FetchError::Busy)?;
        let url = parse(url)?;
        self.check(&url)?;
        let request = self.client.put(url.clone()).body(bytes);
        let response = match tokio::time::timeout(self.policy.timeout, request.send()).await {
            Ok(response) => response.map_err(|error| failure(&url, &error))?,
            Err(_) => {
                return Err(FetchError::Timeout {
                    url: redacted(&url),
                    limit: self.policy.timeout,
                });
            }
        };
        let status = response.status();
        if status.is_success() {
            return Ok(status.as_u16());
        }
        Err(FetchError::Status {
            url: redacted(&url),
            status: status.as_u16(),
        })
    }

    /// What can be said about a URL before its host is resolved.
    fn check(&self, url: &Url) -> Result<(), FetchError> {
        let allowed = url.scheme() == "https" || (url.scheme() == "http" && self.policy.allow_http);
        if !allowed {
            return Err(FetchError::Scheme {
                url: redacted(url),
                scheme: url.scheme().chars().take(40).collect(),
                expected: if self.policy.allow_http {
                    "https or http"
                } else {
                    "https"
                },
            });
        }
        // Addresses are connected to without asking the resolver. Other spellings of an address (decimal, octal, full-width
        // digits) became the usual one when the URL was parsed.
        let address: IpAddr = match url.host() {
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(FetchError::NotAUrl),
        };
        self.policy.check("", address).map_err(|range| FetchError::Denied {
            url: redacted(url),
            range,
        })
    }

    async fn paced<T>(&self, url: &Url, work: impl Future<Output = T>) -> Result<T, FetchError> {
        let done = tokio::time::timeout(self.policy.pace.window, work).await;
        done.map_err(|_| self.too_slow(url))
    }

    fn too_slow(&self, url: &Url) -> FetchError {
        FetchError::TooSlow {
            url: redacted(url),
            least: self.policy.pace.bytes,
            window: self.policy.pace.window,
        }
    }
}

fn client(lookup: Lookup, policy: &Arc<Policy>) -> Result<reqwest::Client, FetchError> {
    // Whoever comes first installs it; all of this program install the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let resolver = GuardedResolver {
        lookup,
        policy: policy.clone(),
    };
    reqwest::Client::builder()
        .dns_resolver(Arc::new(resolver))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        // A connection is not kept: it would outlive the check of its address.
        .pool_max_idle_per_host(0)
        .user_agent(concat!("prims-wasm/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| FetchError::Setup(error.to_string()))
}

fn parse(text: &str) -> Result<Url, FetchError> {
    if text.len() > MAX_URL {
        return Err(FetchError::NotAUrl);
    }
    Url::parse(text).map_err(|_| FetchError::NotAUrl)
}

/// Where a redirect leads, without the credentials of where it comes from.
fn next(url: &Url, response: &Response) -> Result<Url, FetchError> {
    let bad = || FetchError::BadRedirect { url: redacted(url) };
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let location = location.filter(|location| location.len() <= MAX_URL).ok_or_else(bad)?;
    let mut next = url.join(location).map_err(|_| bad())?;
    let _ = next.set_username("");
    let _ = next.set_password(None);
    Ok(next)
}

fn failure(url: &Url, error: &reqwest::Error) -> FetchError {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = source {
        if let Some(NotPublic(range)) = cause.downcast_ref() {
            return FetchError::Denied {
                url: redacted(url),
                range,
            };
        }
        if cause.is::<Unknown>() {
            return FetchError::UnknownHost { url: redacted(url) };
        }
        source = cause.source();
    }
    FetchError::Unreachable {
        url: redacted(url),
        reason: reason(error),
    }
}

/// The innermost cause, which unlike the outer ones does not repeat the URL.
fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// `text/csv` of `Text/CSV; charset=utf-8`.
fn essence(value: &str) -> Option<String> {
    let essence = value.split(';').next()?.trim().to_ascii_lowercase();
    let sound = |c: char| c.is_ascii_alphanumeric() || "/.+-_".contains(c);
    (essence.len() <= 100 && essence.contains('/') && essence.chars().all(sound)).then_some(essence)
}

/// A URL as errors and logs show it: presigned URLs are secrets, and the secret is in the query.
pub fn redacted(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    if url.query().is_some() {
        url.set_query(Some("redacted"));
    }
    url.set_fragment(None);
    url.to_string().chars().take(200).collect()
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;
