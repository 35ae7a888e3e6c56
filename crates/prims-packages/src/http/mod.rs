//! The one way to ask a server: bounded in time, size, number and redirects, tried again where that can help.
//!
//! Servers are hostile. Whatever they answer, [`Client::get`] ends within the budget, with what was asked for or with an
//! [`IndexProblem`].

mod body;
mod connections;

use crate::budget::Budget;
use crate::error::Error;
use crate::location::{Login, Logins, redacted};
use crate::problem::IndexProblem;
use body::Body;
use connections::Connections;
use reqwest::Response;
use reqwest::header::{self, HeaderMap, HeaderName};
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use url::Url;

/// Times a request is repeated.
pub(crate) const RETRIES: u32 = 3;
/// Redirects that are followed.
const MAX_REDIRECTS: usize = 5;

/// How long a slow server is waited for. The budget bounds everything on top of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For the beginning of an answer once there is a connection, and for its next bytes.
    pub idle: Duration,
    /// How many bytes an answer has to bring within each window of time.
    pub rate: (u64, Duration),
    /// Before the first repetition; it doubles with each.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(15),
            rate: (30 << 10, Duration::from_secs(30)),
            pause: Duration::from_millis(200),
        }
    }
}

/// Asks servers. The connections are made when they are first needed, and shared.
pub(crate) struct Client {
    connections: OnceLock<Result<Connections, String>>,
    logins: Logins,
    /// A file with the only certificates to trust, in PEM; otherwise those of the system.
    certificates: Option<PathBuf>,
    patience: Patience,
}

/// What to ask for.
pub(crate) struct Get<'a> {
    pub(crate) url: &'a Url,
    pub(crate) headers: Vec<(HeaderName, String)>,
    /// Whether the answer may be compressed.
    pub(crate) compressed: bool,
    /// Bytes the answer may have, when it is not compressed.
    pub(crate) limit: u64,
    pub(crate) retries: u32,
}

impl<'a> Get<'a> {
    pub(crate) fn new(url: &'a Url, limit: u64) -> Get<'a> {
        Get {
            url,
            headers: vec![],
            compressed: false,
            limit,
            retries: RETRIES,
        }
    }
}

/// The beginning of an answer with a status that is not an error: 200, 206, 304, 404, 410 or 416.
pub(crate) struct Answer<'b> {
    pub(crate) status: u16,
    /// Where it came from, after redirects.
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body<'b>,
}

impl Answer<'_> {
    /// The text of a header.
    pub(crate) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The whole answer.
    pub(crate) fn read(mut self) -> Result<Vec<u8>, IndexProblem> {
        let mut bytes = vec![];
        self.body.each(|part| {
            bytes.extend_from_slice(part);
            Ok::<(), IndexProblem>(())
        })?;
        Ok(bytes)
    }
}

impl Client {
    pub(crate) fn new(logins: Logins, certificates: Option<PathBuf>, patience: Patience) -> Client {
        Client {
            connections: OnceLock::new(),
            logins,
            certificates,
            patience,
        }
    }

    /// Asks, and hands the answer to `read`; both are repeated when that can help.
    pub(crate) fn get<T>(
        &self,
        budget: &Budget,
        get: &Get,
        mut read: impl FnMut(Answer) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut pause = self.patience.pause;
        for left in (0..=get.retries).rev() {
            let mut after = None;
            let result = self.ask(budget, get, &mut after).map_err(Error::from);
            match result.and_then(&mut read) {
                Err(Error::Index(problem)) if left > 0 && problem.is_transient() => {
                    let wait = after.unwrap_or_else(|| jittered(pause));
                    if wait >= budget.remaining()? {
                        return Err(problem.into());
                    }
                    std::thread::sleep(wait);
                    pause *= 2;
                }
                other => return other,
            }
        }
        // The last attempt returns.
        Err(IndexProblem::Stalled {
            url: redacted(get.url),
            waited: self.patience.idle,
        }
        .into())
    }

    /// Asks once, and follows redirects.
    fn ask<'b>(
        &'b self,
        budget: &'b Budget,
        get: &Get,
        after: &mut Option<Duration>,
    ) -> Result<Answer<'b>, IndexProblem> {
        let mut url = get.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send(budget, get, &url)?;
            let status = response.status().as_u16();
            match status {
                200 | 206 | 304 | 404 | 410 | 416 => {
                    let (headers, body) = self.body(response, budget, get)?;
                    return Ok(Answer {
                        status,
                        url,
                        headers,
                        body,
                    });
                }
                301 | 302 | 303 | 307 | 308 => url = redirect(&url, response.headers())?,
                _ => {
                    *after = retry_after(response.headers());
                    return Err(IndexProblem::Status {
                        url: redacted(&url),
                        status,
                    });
                }
            }
        }
        Err(IndexProblem::Redirect {
            url: redacted(get.url),
            to: redacted(&url),
            reason: "after more redirects than are followed",
        })
    }

    fn send(&self, budget: &Budget, get: &Get, url: &Url) -> Result<Response, IndexProblem> {
        let left = budget.request()?;
        let connections = self.connections(url)?;
        let mut request = connections.get(url);
        let encoding = if get.compressed { "gzip" } else { "identity" };
        request = request.header(header::ACCEPT_ENCODING, encoding);
        for (name, value) in &get.headers {
            request = request.header(name, value);
        }
        // For each hop anew: what one server may know, the next may not.
        if let Some(Login { user, password }) = self.logins.get(url) {
            request = request.basic_auth(user, Some(password));
        }
        let waited = self.patience.connect + self.patience.idle;
        match connections.wait(waited.min(left), request.send()) {
            Some(sent) => sent.map_err(|error| self.failed(error, url, budget)),
            None => {
                budget.remaining()?;
                let url = redacted(url);
                Err(IndexProblem::Stalled { url, waited })
            }
        }
    }

    /// Sorts a failure of the connection.
    fn failed(&self, error: reqwest::Error, url: &Url, budget: &Budget) -> IndexProblem {
        if let Err(problem) = budget.remaining() {
            return problem;
        }
        let url = redacted(url);
        if error.is_timeout() {
            let waited = self.patience.connect;
            return IndexProblem::Stalled { url, waited };
        }
        IndexProblem::Unreachable {
            url,
            reason: cause(&error.without_url()),
        }
    }

    fn body<'b>(
        &'b self,
        response: Response,
        budget: &'b Budget,
        get: &Get,
    ) -> Result<(HeaderMap, Body<'b>), IndexProblem> {
        let shown = redacted(response.url());
        let headers = response.headers().clone();
        let encoding = headers
            .get(header::CONTENT_ENCODING)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase());
        let is_gzip = match encoding.as_deref() {
            None | Some("" | "identity") => false,
            Some("gzip" | "x-gzip") if get.compressed => true,
            Some(_) => {
                let reason = "it has an encoding that was not asked for".to_owned();
                return Err(IndexProblem::Page { url: shown, reason });
            }
        };
        let announced = response.content_length().filter(|_| !is_gzip);
        if announced.is_some_and(|announced| announced > get.limit) {
            return Err(IndexProblem::TooLarge {
                url: shown,
                limit: get.limit,
            });
        }
        let around = body::Circumstances {
            connections: self.connections(response.url())?,
            budget,
            patience: self.patience,
            limit: get.limit,
            announced,
            shown,
        };
        let body = Body::new(response, around, is_gzip);
        Ok((headers, body))
    }

    fn connections(&self, url: &Url) -> Result<&Connections, IndexProblem> {
        let made = self.connections.get_or_init(|| {
            let certificates = self.certificates.as_deref();
            Connections::open(certificates, self.patience.connect)
        });
        made.as_ref().map_err(|reason| IndexProblem::Unreachable {
            url: redacted(url),
            reason: reason.clone(),
        })
    }
}

/// What is at the bottom of an error.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string().chars().take(200).collect()
}

/// Where a redirect leads, if it may be followed.
fn redirect(from: &Url, headers: &HeaderMap) -> Result<Url, IndexProblem> {
    let refused = |to: String, reason| {
        let url = redacted(from);
        Err(IndexProblem::Redirect { url, to, reason })
    };
    let location = headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
    let Some(to) = location.and_then(|location| from.join(location).ok()) else {
        return refused(String::new(), "which is not a URL");
    };
    match (from.scheme(), to.scheme()) {
        (_, "https") | ("http", "http") => Ok(to),
        (_, "http") => refused(redacted(&to), "which is not encrypted"),
        _ => refused(redacted(&to), "which is neither http nor https"),
    }
}

/// How long a server asks to wait, in seconds; dates count as not said.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Between half of a pause and one and a half, so that clients that failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(Instant::now()) % 1000;
    pause.mul_f64(0.5 + random as f64 / 1000.0)
}
