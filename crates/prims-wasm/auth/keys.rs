//! The issuer's public keys: found, kept for a while, fetched again when the issuer seems to have new ones.

use super::Denied;
use super::jwt::{Jwk, Key, Token};
use crate::fetch::{FetchError, Fetcher};
use crate::settings::{ByteSize, FetchSettings};
use serde::Deserialize;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

/// Neither a key set nor metadata is larger.
const MAX_DOCUMENT: u64 = 256 << 10;
/// Keys used of one set.
const MAX_KEYS: usize = 64;

/// How long keys are used.
#[derive(Clone, Copy, Debug)]
pub struct KeyTimes {
    /// After this they are fetched again.
    pub fresh: Duration,
    /// After this they are not used, even if they cannot be fetched again.
    pub stale: Duration,
    /// Between two attempts to fetch them, from the end of one to the beginning of the next, whatever tokens come.
    pub between: Duration,
    /// For one answer of the issuer. Finding and fetching the keys takes up to three.
    pub answer: Duration,
}

impl KeyTimes {
    /// Ten minutes, a day, ten seconds, ten seconds.
    pub const DEFAULT: KeyTimes = KeyTimes {
        fresh: Duration::from_secs(600),
        stale: Duration::from_secs(24 * 3600),
        between: Duration::from_secs(10),
        answer: Duration::from_secs(10),
    };
}

type Keys = Arc<Vec<Key>>;

#[derive(Debug)]
pub(super) struct KeySource {
    issuer: String,
    /// Where the keys are, if the operator says so.
    url: Option<Url>,
    fetcher: Fetcher,
    times: KeyTimes,
    known: RwLock<Option<(Keys, Instant)>>,
    /// When they were last asked for. Held while they are, so that one request asks for all.
    attempt: Mutex<Option<Instant>>,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<serde_json::Value>,
}

impl KeySource {
    pub(super) fn new(issuer: &str, url: Option<&Url>, times: KeyTimes) -> Result<KeySource, FetchError> {
        let named: Vec<Url> = Url::parse(issuer).into_iter().chain(url.cloned()).collect();
        // The operator named these hosts; what their metadata leads to must be public.
        let settings = FetchSettings {
            allow_http: named.iter().any(|url| url.scheme() == "http"),
            allow: named.iter().filter_map(|url| url.host_str().map(Into::into)).collect(),
            max_bytes: ByteSize(MAX_DOCUMENT),
            max_upload: ByteSize(1),
            timeout: times.answer,
        };
        Ok(KeySource {
            issuer: issuer.to_owned(),
            url: url.cloned(),
            fetcher: Fetcher::new(&settings)?,
            times,
            known: RwLock::new(None),
            attempt: Mutex::new(None),
        })
    }

    /// Keys among which the token's should be.
    pub(super) async fn for_token(&self, token: &Token) -> Result<Keys, Denied> {
        if let Some(keys) = self.fitting(token, self.times.fresh) {
            return Ok(keys);
        }
        let mut attempt = match self.attempt.try_lock() {
            Ok(attempt) => attempt,
            // While somebody else waits for the issuer, older keys are good enough.
            Err(_) => match self.fitting(token, self.times.stale) {
                Some(keys) => return Ok(keys),
                None => self.attempt.lock().await,
            },
        };
        // Somebody else may have fetched them meanwhile.
        if let Some(keys) = self.fitting(token, self.times.fresh) {
            return Ok(keys);
        }
        if attempt.is_none_or(|last| last.elapsed() >= self.times.between) {
            // Now, as the request that asks may be given up, and at the end, as an issuer that is slow should not be asked again at once
            // by each of those who waited.
            *attempt = Some(Instant::now());
            let fetched = self.fetch().await;
            *attempt = Some(Instant::now());
            match fetched {
                Ok(keys) => *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some((keys, Instant::now())),
                Err(error) => tracing::warn!(error, "the keys of the authorization server cannot be had"),
            }
        }
        self.known(self.times.stale).ok_or(Denied::Unavailable)
    }

    fn known(&self, age: Duration) -> Option<Keys> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let (keys, fetched) = known.as_ref()?;
        (fetched.elapsed() < age).then(|| keys.clone())
    }

    /// Keys up to an age that have one for the token; a token of an unknown key may mean that there are new ones.
    fn fitting(&self, token: &Token, age: Duration) -> Option<Keys> {
        let keys = self.known(age)?;
        keys.iter().any(|key| token.fits(key)).then_some(keys)
    }

    async fn fetch(&self) -> Result<Keys, String> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => self.discover().await?,
        };
        let set: KeySet = self.document(&url).await?;
        let keys = set.keys.into_iter().take(MAX_KEYS);
        // Keys of kinds that are not used here are in many sets.
        let keys = keys.filter_map(|key| Key::new(&serde_json::from_value::<Jwk>(key).ok()?));
        Ok(Arc::new(keys.collect()))
    }

    /// Asks the issuer where its keys are: RFC 8414, then OpenID Connect Discovery.
    async fn discover(&self) -> Result<Url, String> {
        let issuer = Url::parse(&self.issuer).map_err(|error| error.to_string())?;
        let path = issuer.path().trim_end_matches('/').to_owned();
        let mut last = String::new();
        for place in [
            format!("/.well-known/oauth-authorization-server{path}"),
            format!("{path}/.well-known/openid-configuration"),
        ] {
            let mut url = issuer.clone();
            url.set_path(&place);
            match self.document::<Metadata>(&url).await {
                Ok(metadata) if metadata.issuer == self.issuer => {
                    return Url::parse(&metadata.jwks_uri).map_err(|error| error.to_string());
                }
                Ok(metadata) => last = format!("the metadata is of the issuer `{}`", metadata.issuer),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn document<T: serde::de::DeserializeOwned>(&self, url: &Url) -> Result<T, String> {
        let fetched = self.fetcher.get(url.as_str(), MAX_DOCUMENT).await;
        let fetched = fetched.map_err(|error| error.to_string())?;
        serde_json::from_slice(&fetched.bytes).map_err(|error| error.to_string())
    }
}
