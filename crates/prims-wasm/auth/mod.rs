//! Who calls: bearer tokens from a file, access tokens of an authorization server, and how much each caller may ask for.
//!
//! The server is an OAuth 2.1 *resource server* (RFC 6750, RFC 9728): it issues nothing, it verifies. A request is judged by its
//! `Authorization` header alone, before its body is read; tokens in queries, forms or cookies are not looked at. The result is a
//! [`Caller`] in the request's extensions: sessions belong to it.

mod jwt;
mod keys;
mod quota;
mod tokens;

pub use keys::KeyTimes;
pub use quota::{Exceeded, Quotas, Ticket};

use crate::fetch::FetchError;
use crate::settings::AuthSettings;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use keys::KeySource;
use serde_json::{Value, json};
use std::path::PathBuf;
use tokens::TokenFile;

/// Longer tokens are refused unread.
const MAX_TOKEN: usize = 8192;

/// Who calls, as far as is known: `token:NAME` or `oauth:SUBJECT`, or nobody in particular.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller(pub Option<String>);

/// Settings with which nobody could be told apart.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file of tokens cannot be read.
    #[error("cannot read the tokens in `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Others may read or write the file of tokens.
    #[error("`{}` has the mode {mode:03o}, expected 600 or less", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A line of the file of tokens cannot be used.
    #[error("line {line} of `{}` is not a token, expected {expected}", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// Counted from one.
        line: usize,
        /// What it should look like.
        expected: &'static str,
    },
    /// The file has no token.
    #[error("`{}` has no token", path.display())]
    NoToken {
        /// The file.
        path: PathBuf,
    },
    /// The client for the authorization server cannot be set up.
    #[error("cannot talk to the authorization server")]
    Client(#[from] FetchError),
}

impl Error {
    /// What to do about it, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Exposed { path, .. } => Some(format!("chmod 600 {}", path.display())),
            Error::Token { .. } | Error::NoToken { .. } => {
                Some("write one `name:token` a line, for example from `openssl rand -hex 32`".into())
            }
            _ => None,
        }
    }
}

/// Why a request is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// No bearer token.
    Missing,
    /// A token that means nothing here; the reason is for the log and the developer of the client.
    Invalid(&'static str),
    /// A valid token that lacks a scope.
    Scope,
    /// The authorization server's keys cannot be had.
    Unavailable,
}

impl Denied {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Denied::Missing | Denied::Invalid(_) => StatusCode::UNAUTHORIZED,
            Denied::Scope => StatusCode::FORBIDDEN,
            Denied::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What the answer says.
    pub fn message(&self) -> &'static str {
        match self {
            Denied::Missing => "no bearer token, expected `Authorization: Bearer TOKEN`",
            Denied::Invalid(reason) => reason,
            Denied::Scope => "the token lacks a scope",
            Denied::Unavailable => "the keys of the authorization server cannot be had now",
        }
    }
}

/// Tells callers apart.
#[derive(Debug)]
pub struct Authenticator {
    tokens: Option<TokenFile>,
    oauth: Option<OAuth>,
}

#[derive(Debug)]
struct OAuth {
    keys: KeySource,
    expected: jwt::Expected,
    /// The address of the MCP endpoint as clients know it.
    resource: String,
    metadata_url: String,
}

impl Authenticator {
    /// What the settings ask for. `endpoint` is the address of the MCP endpoint as clients know it.
    pub fn new(settings: &AuthSettings, endpoint: &url::Url) -> Result<Authenticator, Error> {
        Authenticator::with(settings, endpoint, KeyTimes::DEFAULT)
    }

    /// The same with other times for keys.
    pub fn with(settings: &AuthSettings, endpoint: &url::Url, times: KeyTimes) -> Result<Authenticator, Error> {
        let tokens = settings.token_file.as_deref().map(TokenFile::open).transpose()?;
        let oauth = match &settings.oauth_issuer {
            Some(issuer) => Some(OAuth::new(issuer, settings, endpoint, times)?),
            None => None,
        };
        Ok(Authenticator { tokens, oauth })
    }

    /// Whether anybody is asked who they are.
    pub fn required(&self) -> bool {
        self.tokens.is_some() || self.oauth.is_some()
    }

    /// Who sent a request with these headers.
    pub async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Denied> {
        if !self.required() {
            return Ok(Caller(None));
        }
        let token = bearer(headers)?;
        if let Some(name) = self.tokens.as_ref().and_then(|tokens| tokens.name(token)) {
            return Ok(Caller(Some(format!("token:{name}"))));
        }
        match &self.oauth {
            Some(oauth) => oauth
                .subject(token)
                .await
                .map(|subject| Caller(Some(format!("oauth:{subject}")))),
            None => Err(Denied::Invalid("the token is not known")),
        }
    }

    /// The value of `WWW-Authenticate` for a refusal (RFC 6750, section 3).
    pub fn challenge(&self, denied: &Denied) -> String {
        let mut parameters = vec![];
        if let Some(oauth) = &self.oauth {
            parameters.push(format!("resource_metadata=\"{}\"", oauth.metadata_url));
            if !oauth.expected.scopes.is_empty() {
                parameters.push(format!("scope=\"{}\"", oauth.expected.scopes.join(" ")));
            }
        } else {
            parameters.push("realm=\"prims-wasm\"".to_owned());
        }
        match denied {
            Denied::Invalid(reason) => {
                parameters.push("error=\"invalid_token\"".to_owned());
                parameters.push(format!("error_description=\"{reason}\""));
            }
            Denied::Scope => parameters.push("error=\"insufficient_scope\"".to_owned()),
            Denied::Missing | Denied::Unavailable => {}
        }
        format!("Bearer {}", parameters.join(", "))
    }

    /// The metadata of this protected resource (RFC 9728), if there is an authorization server.
    pub fn metadata(&self) -> Option<Value> {
        let oauth = self.oauth.as_ref()?;
        Some(json!({
            "resource": oauth.resource,
            "authorization_servers": [oauth.expected.issuer],
            "scopes_supported": oauth.expected.scopes,
            "bearer_methods_supported": ["header"],
            "resource_name": "prims-wasm",
        }))
    }
}

impl OAuth {
    fn new(issuer: &str, settings: &AuthSettings, endpoint: &url::Url, times: KeyTimes) -> Result<OAuth, Error> {
        let mut metadata_url = endpoint.clone();
        metadata_url.set_path(&format!("/.well-known/oauth-protected-resource{}", endpoint.path()));
        Ok(OAuth {
            keys: KeySource::new(issuer, settings.oauth_jwks_url.as_ref(), times)?,
            expected: jwt::Expected {
                issuer: issuer.to_owned(),
                audience: settings.oauth_audience.clone().unwrap_or_else(|| endpoint.to_string()),
                scopes: settings.oauth_scopes.clone(),
                leeway: settings.oauth_leeway,
            },
            resource: endpoint.to_string(),
            metadata_url: metadata_url.to_string(),
        })
    }

    async fn subject(&self, token: &str) -> Result<String, Denied> {
        let token = jwt::Token::parse(token).map_err(Denied::Invalid)?;
        let keys = self.keys.for_token(&token).await?;
        token.verify(&keys).map_err(Denied::Invalid)?;
        token.judge(&self.expected, std::time::SystemTime::now())
    }
}

/// The token of the one `Authorization` header.
fn bearer(headers: &HeaderMap) -> Result<&str, Denied> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Denied::Missing)?;
    if values.next().is_some() {
        return Err(Denied::Invalid("more than one authorization header"));
    }
    let value = value.to_str().map_err(|_| Denied::Missing)?;
    let (scheme, token) = value.split_once(' ').ok_or(Denied::Missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Denied::Missing);
    }
    let token = token.trim_start_matches(' ');
    // The characters of RFC 6750.
    let sound = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
    if token.is_empty() || token.len() > MAX_TOKEN || !token.chars().all(sound) {
        return Err(Denied::Invalid("the token is malformed"));
    }
    Ok(token)
}

#[cfg(test)]
mod tests;
