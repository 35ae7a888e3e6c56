//! URLs of indexes: what is secret in them, and what may be shown.

use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;
use url::Url;

/// Longest URL a message shows.
const MAX_SHOWN: usize = 200;

/// Where an index is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// Its root, without user and password, with a slash at the end.
    Web(Url),
    /// A folder of this machine.
    Folder(PathBuf),
}

/// A URL as messages and logs may show it: without user, password, query and fragment.
pub(crate) fn redacted(url: &Url) -> String {
    let mut url = without_credentials(url);
    url.set_query(None);
    url.set_fragment(None);
    let shown: String = url.as_str().chars().take(MAX_SHOWN).collect();
    match url.scheme() {
        // The folders of this machine are nobody's business.
        "file" => format!("file:…/{}", filename(&url).unwrap_or_default()),
        _ => shown,
    }
}

pub(crate) fn without_credentials(url: &Url) -> Url {
    let mut url = url.clone();
    // Changing a URL reads it again, and pages have thousands.
    if url.username().is_empty() && url.password().is_none() {
        return url;
    }
    // These fail for URLs that cannot have any.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

/// The last part of a URL's path, decoded.
pub(crate) fn filename(url: &Url) -> Option<String> {
    let last = url.path_segments()?.next_back().filter(|last| !last.is_empty())?;
    percent_decoded(last)
}

/// Decodes `%20` and the like; `None` when the result is not text.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.ok().map(Cow::into_owned)
}

/// User and password.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// Which server gets which login. A login never leaves the origin (scheme, host and port) it was given for. Where indexes on one
/// server have logins of their own, each goes to what is below its index.
#[derive(Clone, Default)]
pub(crate) struct Logins(HashMap<url::Origin, Vec<(String, Login)>>);

impl Logins {
    /// Takes user and password out of a URL.
    pub(crate) fn take(&mut self, url: &Url) -> Url {
        if !url.username().is_empty() || url.password().is_some() {
            let decoded = |text: &str| percent_decoded(text).unwrap_or_else(|| text.to_owned());
            let login = Login {
                user: decoded(url.username()),
                password: decoded(url.password().unwrap_or_default()),
            };
            let below = format!("{}/", url.path().trim_end_matches('/'));
            self.0.entry(url.origin()).or_default().push((below, login));
        }
        without_credentials(url)
    }

    /// The login for a URL: of the index it is most closely below, else the first of the server, whose files may lie anywhere.
    pub(crate) fn get(&self, url: &Url) -> Option<&Login> {
        let of_server = self.0.get(&url.origin())?;
        let above = of_server.iter().filter(|(below, _)| url.path().starts_with(below));
        let nearest = above.max_by_key(|(below, _)| below.len()).or(of_server.first());
        nearest.map(|(_, login)| login)
    }
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Logins({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_shown_or_sent_elsewhere() {
        let url = Url::parse("https://me:s%40cret@host:8443/simple/?token=x#y").unwrap();
        assert_eq!(redacted(&url), "https://host:8443/simple/");
        let mut logins = Logins::default();
        assert_eq!(logins.take(&url).as_str(), "https://host:8443/simple/?token=x#y");
        let login = logins.get(&Url::parse("https://host:8443/other").unwrap()).unwrap();
        assert_eq!((login.user.as_str(), login.password.as_str()), ("me", "s@cret"));
        for other in [
            "https://host/simple/",
            "http://host:8443/simple/",
            "https://host.other:8443/",
            "file:///host",
        ] {
            assert!(logins.get(&Url::parse(other).unwrap()).is_none(), "{other}");
        }
        assert!(!format!("{logins:?}").contains("cret"));
        let folder = Url::parse("file:///home/me/wheels/a-1.whl").unwrap();
        assert_eq!(redacted(&folder), "file:…/a-1.whl");
    }

    #[test]
    fn indexes_on_one_server_have_logins_of_their_own() {
        let mut logins = Logins::default();
        for root in [
            "https://a:1@host/team/",
            "https://b:2@host/team/inner/simple",
            "https://c:3@host/other/",
        ] {
            logins.take(&Url::parse(root).unwrap());
        }
        for (path, user) in [
            ("/team/numpy/", "a"),
            ("/team/inner/numpy/", "a"),
            ("/team/inner/simple/numpy/", "b"),
            ("/team/inner/simplest/numpy/", "a"),
            ("/other/numpy/", "c"),
            ("/files/numpy.whl", "a"),
        ] {
            let url = Url::parse(&format!("https://host{path}")).unwrap();
            assert_eq!(logins.get(&url).unwrap().user, user, "{path}");
        }
    }

    #[test]
    fn escapes_are_decoded_once() {
        for (from, to) in [
            ("a%2Bb", "a+b"),
            ("%2525", "%25"),
            ("%", "%"),
            ("%4", "%4"),
            ("%+1", "%+1"),
            ("%zz", "%zz"),
        ] {
            assert_eq!(percent_decoded(from).as_deref(), Some(to));
        }
        assert_eq!(percent_decoded("%ff"), None);
    }
}
