//! The one way to ask a server: bounded in time, size, number and redirects, tried again where that can help.
//!
//! Servers are hostile. Whatever they answer, [`Client::get`] ends within the budget, with what was asked for or with an
//! [`IndexProblem`].

use crate::budget::Budget;
use crate::error::Error;
use crate::location::{Login, Logins, redacted};
use crate::problem::IndexProblem;
use flate2::read::MultiGzDecoder;
use reqwest::Response;
use reqwest::header::{self, HeaderMap, HeaderName};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use url::Url;

/// Times a request is repeated.
pub(crate) const RETRIES: u32 = 3;
/// Redirects that are followed.
const MAX_REDIRECTS: usize = 5;
/// Headers of an answer.
const MAX_HEADERS: usize = 100;

/// How long a slow server is waited for. The budget bounds everything on top of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For the next bytes of an answer.
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

/// Connections, and the thread that serves them. Whoever asks blocks.
struct Connections {
    client: reqwest::Client,
    /// Taken when it is dropped.
    runtime: Option<Runtime>,
}

impl Connections {
    /// Waits for what the network brings, for at most this long; `None` when it brought nothing.
    fn wait<T>(&self, at_most: Duration, what: impl Future<Output = T>) -> Option<T> {
        let runtime = self.runtime.as_ref()?;
        runtime.block_on(async { tokio::time::timeout(at_most, what).await.ok() })
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        // The last user may be in a place that must not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
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
        let mut request = connections.client.get(url.clone());
        let encoding = if get.compressed { "gzip" } else { "identity" };
        request = request.header(header::ACCEPT_ENCODING, encoding);
        for (name, value) in &get.headers {
            request = request.header(name, value);
        }
        // For each hop anew: what one server may know, the next may not.
        if let Some(Login { user, password }) = self.logins.get(url) {
            request = request.basic_auth(user, Some(password));
        }
        let patience = self.patience.connect + self.patience.idle;
        match connections.wait(patience.min(left), request.send()) {
            Some(sent) => sent.map_err(|error| self.failed(error, url, budget)),
            None => {
                budget.remaining()?;
                let (url, waited) = (redacted(url), self.patience.idle);
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
        let error = error.without_url();
        let mut cause: &dyn std::error::Error = &error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        IndexProblem::Unreachable {
            url,
            reason: cause.to_string().chars().take(200).collect(),
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
        let received = Received {
            connections: self.connections(response.url())?,
            response,
            pending: vec![],
            at: 0,
            budget,
            patience: self.patience,
            shown,
            window: (Instant::now(), 0),
            problem: None,
        };
        let body = Body {
            shown: received.shown.clone(),
            source: if is_gzip {
                Content::Gzip(Box::new(MultiGzDecoder::new(received)))
            } else {
                Content::Plain(Box::new(received))
            },
            limit: get.limit,
            announced,
        };
        Ok((headers, body))
    }

    fn connections(&self, url: &Url) -> Result<&Connections, IndexProblem> {
        let made = self.connections.get_or_init(|| self.connect());
        made.as_ref().map_err(|reason| IndexProblem::Unreachable {
            url: redacted(url),
            reason: reason.clone(),
        })
    }

    fn connect(&self) -> Result<Connections, String> {
        // Fails when one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::ClientBuilder::new()
            .user_agent(concat!("prims-wasm/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .http1_only()
            .http1_max_headers(MAX_HEADERS)
            .pool_max_idle_per_host(8)
            .connect_timeout(self.patience.connect);
        if let Some(path) = &self.certificates {
            let read =
                std::fs::read(path).map_err(|error| format!("the file of certificates cannot be read: {error}"))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&read)
                .map_err(|_| "the file of certificates does not read".to_owned())?;
            builder = builder.tls_certs_only(certificates);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("prims-http")
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let client = builder.build().map_err(|error| error.to_string())?;
        let runtime = Some(runtime);
        Ok(Connections { client, runtime })
    }
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

impl Body<'_> {
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
