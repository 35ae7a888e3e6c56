//! By which names clients may call this server, and which web pages may. A page of another site whose name leads to this machine
//! (DNS rebinding) has its own name in `Host`; any other page has its own in `Origin`.

use crate::settings::ServerSettings;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use std::net::{IpAddr, Ipv6Addr};

/// The names of the loopback interface.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// A host and maybe a port, in the one spelling that is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Authority {
    host: String,
    port: Option<u16>,
}

impl Authority {
    /// Strict: a name, an IPv4 address or an IPv6 address in brackets. No user, no escapes, no dot at the end, no other spelling
    /// of numbers: those are names, which then are not in the list.
    fn parse(text: &str) -> Option<Authority> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, rest) = rest.split_once(']')?;
                let address: Ipv6Addr = address.parse().ok()?;
                (
                    format!("[{address}]"),
                    rest.strip_prefix(':').or((rest.is_empty()).then_some(""))?,
                )
            }
            None => match text.split_once(':') {
                Some((_, "")) => return None,
                Some((host, port)) => (host.to_ascii_lowercase(), port),
                None => (text.to_ascii_lowercase(), ""),
            },
        };
        let sound = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let name = host.starts_with('[') || (host.chars().all(sound) && !host.ends_with('.') && !host.is_empty());
        let digits = port.len() <= 5 && port.chars().all(|c| c.is_ascii_digit());
        if !name || !digits {
            return None;
        }
        let port = match port {
            "" => None,
            port => Some(port.parse().ok()?),
        };
        Some(Authority { host, port })
    }
}

/// Scheme, host and port of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    scheme: &'static str,
    host: String,
    port: u16,
}

impl Origin {
    fn parse(text: &str) -> Option<Origin> {
        let (scheme, authority, port) = if let Some(rest) = text.strip_prefix("https://") {
            ("https", rest, 443)
        } else {
            ("http", text.strip_prefix("http://")?, 80)
        };
        let authority = Authority::parse(authority)?;
        Some(Origin {
            scheme,
            host: authority.host,
            port: authority.port.unwrap_or(port),
        })
    }
}

/// Why a request is not for this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Foreign {
    Host,
    Origin,
}

/// What is allowed.
#[derive(Clone, Debug)]
pub(super) struct Names {
    hosts: Vec<Authority>,
    origins: Vec<Origin>,
    /// The port that is listened on.
    port: u16,
}

/// Entries of the settings that mean nothing.
pub(super) enum BadName {
    Host(String),
    Origin(String),
}

impl Names {
    /// The loopback interface's names, the address listened on, and what the settings add.
    pub(super) fn new(settings: &ServerSettings) -> Result<Names, BadName> {
        let mut texts: Vec<String> = LOOPBACK.map(Into::into).into();
        match settings.host {
            host if host.is_unspecified() => {}
            IpAddr::V4(address) => texts.push(address.to_string()),
            IpAddr::V6(address) => texts.push(format!("[{address}]")),
        }
        texts.extend(
            settings
                .public_url
                .as_ref()
                .and_then(|url| url.host_str())
                .map(Into::into),
        );
        texts.extend(settings.allowed_hosts.iter().cloned());
        let host = |text: &String| Authority::parse(text).ok_or_else(|| BadName::Host(text.clone()));
        let origin = |text: &String| Origin::parse(text).ok_or_else(|| BadName::Origin(text.clone()));
        Ok(Names {
            hosts: texts.iter().map(host).collect::<Result<_, _>>()?,
            origins: settings.allowed_origins.iter().map(origin).collect::<Result<_, _>>()?,
            port: settings.port,
        })
    }

    /// The same, now that the port is known.
    pub(super) fn on_port(self, port: u16) -> Names {
        Names { port, ..self }
    }

    /// Whether a request with these headers is for this server.
    pub(super) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Foreign> {
        let host = only(headers, HOST).map_err(|_| Foreign::Host)?.ok_or(Foreign::Host)?;
        let host = self.host(host).ok_or(Foreign::Host)?;
        // A request for a proxy has a second name.
        if let Some(authority) = uri.authority() {
            self.host(authority.as_str()).ok_or(Foreign::Host)?;
        }
        match only(headers, ORIGIN).map_err(|_| Foreign::Origin)? {
            None => Ok(()),
            Some(text) => {
                let origin = Origin::parse(text).ok_or(Foreign::Origin)?;
                let default = if origin.scheme == "https" { 443 } else { 80 };
                // A page that a proxy in front of this server served. On the loopback interface pages of other programs differ in
                // the port only, so that there it must be said, or be the one listened on.
                let loopback = LOOPBACK.contains(&host.host.as_str());
                let port = host.port.unwrap_or(if loopback { self.port } else { default });
                let same = origin.host == host.host && port == origin.port;
                if same || self.origins.contains(&origin) {
                    Ok(())
                } else {
                    Err(Foreign::Origin)
                }
            }
        }
    }

    /// The origin of a page elsewhere that may call this server and read its answers.
    pub(super) fn cross_origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let text = only(headers, ORIGIN).ok()??;
        let known = self.origins.contains(&Origin::parse(text)?);
        known.then(|| headers.get(ORIGIN).cloned()).flatten()
    }

    fn host(&self, text: &str) -> Option<Authority> {
        let host = Authority::parse(text)?;
        let allowed = |known: &Authority| known.host == host.host && (known.port.is_none() || known.port == host.port);
        self.hosts.iter().any(allowed).then_some(host)
    }
}

/// The header's only value, if there is one.
fn only(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn names(flags: &[(&'static str, &str)]) -> Names {
        Names::new(&Settings::of(flags).server).ok().unwrap()
    }

    fn check(names: &Names, host: &str, origin: Option<&str>) -> Result<(), Foreign> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        names.check(&Uri::from_static("/mcp"), &headers)
    }

    #[test]
    fn hosts() {
        let names = names(&[("allowed-hosts", "prims.example,other.example:8443")]);
        for good in [
            "localhost",
            "LOCALHOST:8000",
            "127.0.0.1:1",
            "[::1]",
            "[::1]:8000",
            "[0:0:0:0:0:0:0:1]:80",
            "prims.example",
            "prims.example:443",
            "other.example:8443",
        ] {
            assert_eq!(check(&names, good, None), Ok(()), "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "localhost.",
            "localhost.evil.example",
            "evil@127.0.0.1",
            "evil@localhost:80",
            "127.0.0.1@evil.example",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "127.1",
            "127.0.0.1.",
            "[::ffff:127.0.0.1]",
            "[::1]evil",
            "[::1",
            "::1",
            "[::1%25lo]",
            "localhost:",
            "localhost:99999",
            "localhost:80:80",
            "localhost/",
            "local%68ost",
            "localhost\\",
            " localhost",
            "localhost, evil.example",
            "other.example",
            "other.example:80",
            "prims.example.",
        ] {
            assert_eq!(check(&names, bad, None), Err(Foreign::Host), "{bad}");
        }
        assert_eq!(
            names.check(&Uri::from_static("/"), &HeaderMap::new()),
            Err(Foreign::Host)
        );
        let mut twice = HeaderMap::new();
        twice.append(HOST, "localhost".parse().unwrap());
        twice.append(HOST, "localhost".parse().unwrap());
        assert_eq!(names.check(&Uri::from_static("/"), &twice), Err(Foreign::Host));
        twice.remove(HOST);
        twice.insert(HOST, "localhost".parse().unwrap());
        let absolute = Uri::from_static("http://evil.example/mcp");
        assert_eq!(names.check(&absolute, &twice), Err(Foreign::Host));
    }

    #[test]
    fn origins() {
        let names = names(&[
            ("allowed-origins", "https://app.example,http://localhost:6274"),
            ("public-url", "https://prims.example"),
        ]);
        for (host, good) in [
            ("localhost:8000", "http://localhost:8000"),
            ("localhost", "http://localhost:3001"),
            ("localhost:80", "http://localhost"),
            ("localhost:443", "https://localhost"),
            ("prims.example", "https://prims.example"),
            ("prims.example:443", "https://prims.example"),
            ("localhost:8000", "https://app.example"),
            ("localhost:8000", "https://app.example:443"),
            ("localhost:8000", "http://localhost:6274"),
        ] {
            assert_eq!(check(&names, host, Some(good)), Ok(()), "{good}");
        }
        for bad in [
            "null",
            "",
            "http://evil.example",
            "http://localhost",
            "http://localhost:8001",
            "http://127.0.0.1:8000",
            "https://app.example:8443",
            "http://app.example",
            "https://app.example/",
            "https://app.example.",
            "https://user@app.example",
            "https://app.example.evil.example",
            "file://",
            "chrome-extension://abcdef",
            "http://localhost:8000 http://evil.example",
            "http://prims.example",
        ] {
            assert_eq!(
                check(&names, "localhost:8000", Some(bad)),
                Err(Foreign::Origin),
                "{bad}"
            );
        }
        assert_eq!(
            check(&names, "localhost", Some("http://localhost")),
            Err(Foreign::Origin)
        );
    }

    #[test]
    fn noise_is_no_name() {
        // A linear congruential generator: the same noise every time.
        let mut state = 1u64;
        let mut next = |most: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % most
        };
        let pieces = [
            "[",
            "]",
            ":",
            "::1",
            "localhost",
            ".",
            "@",
            "/",
            "%",
            "é",
            "0",
            "65536",
            "http://",
            "https://",
            "null",
            " ",
        ];
        for _ in 0..100_000 {
            let text: String = (0..next(6)).map(|_| pieces[next(pieces.len())]).collect();
            if let Some(authority) = Authority::parse(&text) {
                // What is understood has one spelling, and that is understood in the same way.
                let port = authority.port.map_or(String::new(), |port| format!(":{port}"));
                assert_eq!(
                    Authority::parse(&format!("{}{port}", authority.host)),
                    Some(authority),
                    "{text}"
                );
            }
            let _ = Origin::parse(&text);
        }
    }
}
