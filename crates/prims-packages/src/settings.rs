//! Which indexes are asked, and how: what the caller says, or what the environment of other Python tools says.

use crate::budget::BudgetLimits;
use crate::error::Error;
use crate::http::Patience;
use crate::pip_conf::PipConf;
use crate::problem::IndexProblem;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use url::Url;

/// Which indexes are asked, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexSettings {
    /// The index that is asked last: `http`, `https`, or `file` for a folder of wheels. None: only the extra ones and what is bundled.
    pub default: Option<Url>,
    /// Indexes that are asked before it, in this order. The first that knows a name decides; indexes are never merged.
    pub extra: Vec<Url>,
    /// Only what is in the cache, in local folders, or bundled.
    pub offline: bool,
    /// Refuse wheels for which the index gives no SHA-256.
    pub require_hashes: bool,
    /// A file with the only certificates to trust, in PEM. None: those of the system, or of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    pub certificates: Option<PathBuf>,
    /// How long slow servers are waited for.
    pub patience: Patience,
    /// What one resolution or one installation may cost.
    pub budget: BudgetLimits,
}

impl Default for IndexSettings {
    /// The public index of the Python community, without a look at the environment.
    fn default() -> IndexSettings {
        IndexSettings {
            default: public_index(),
            extra: vec![],
            offline: false,
            require_hashes: false,
            certificates: None,
            patience: Patience::default(),
            budget: BudgetLimits::default(),
        }
    }
}

/// Where every Python tool looks unless it is told otherwise. Put together here because files of this repository name no registry:
/// a search for one then finds where it should not be.
fn public_index() -> Option<Url> {
    Url::parse(&["https://py", "pi.o", "rg/simple/"].concat()).ok()
}

impl IndexSettings {
    /// No index but what is bundled.
    pub fn bundled_only() -> IndexSettings {
        IndexSettings {
            default: None,
            ..IndexSettings::default()
        }
    }

    /// What the environment of pip and uv says: `UV_DEFAULT_INDEX`, `UV_INDEX_URL` or `PIP_INDEX_URL`; `UV_INDEX`, `UV_EXTRA_INDEX_URL`
    /// and `PIP_EXTRA_INDEX_URL`; `UV_OFFLINE`; `PIP_REQUIRE_HASHES`; `PIP_CERT`, `REQUESTS_CA_BUNDLE` or `CURL_CA_BUNDLE`; then pip's
    /// configuration files. Proxies, `SSL_CERT_FILE` and `SSL_CERT_DIR` are read when the first connection is made.
    ///
    /// # Errors
    /// [`IndexProblem::Setting`] names a setting that does not read.
    pub fn from_environment() -> Result<IndexSettings, Error> {
        IndexSettings::from_variables(|name| std::env::var_os(name))
    }

    /// The same with the environment variables that are given.
    ///
    /// # Errors
    /// As [`IndexSettings::from_environment`].
    fn from_variables(get: impl Fn(&str) -> Option<OsString>) -> Result<IndexSettings, Error> {
        let text = |name: &str| {
            get(name)
                .and_then(|value| value.into_string().ok())
                .filter(|value| !value.trim().is_empty())
        };
        let conf = PipConf::load(&get);
        let mut settings = IndexSettings::default();
        let from_conf = conf.index_url.map(|url| ("index-url", url));
        let default = ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"]
            .into_iter()
            .find_map(|name| Some((name, text(name)?)));
        if let Some((name, value)) = default.or(from_conf) {
            settings.default = Some(index_url(name, &value)?);
        }
        let mut extra: Vec<(&str, String)> = ["UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL"]
            .into_iter()
            .filter_map(|name| Some((name, text(name)?)))
            .collect();
        if extra.is_empty() {
            extra.extend(conf.extra_index_url.map(|urls| ("extra-index-url", urls)));
        }
        for (name, urls) in extra {
            for url in urls.split_whitespace() {
                let url = index_url(name, url)?;
                if !settings.extra.contains(&url) {
                    settings.extra.push(url);
                }
            }
        }
        settings.offline = text("UV_OFFLINE").is_some_and(|value| is_true(&value));
        settings.require_hashes = text("PIP_REQUIRE_HASHES").is_some_and(|value| is_true(&value));
        let bundles = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];
        settings.certificates = text("PIP_CERT")
            .or(conf.cert)
            .or_else(|| bundles.into_iter().find_map(text))
            .map(PathBuf::from);
        Ok(settings)
    }
}

/// Reads the URL of an index, or the path of a folder with wheels. `name` is what messages call the setting.
///
/// # Errors
/// [`IndexProblem::Setting`]; the value is not repeated, as it may contain a password.
pub fn index_url(name: &str, value: &str) -> Result<Url, Error> {
    let bad = |reason: &str| {
        Err(Error::from(IndexProblem::Setting {
            name: name.to_owned(),
            reason: reason.to_owned(),
        }))
    };
    let value = value.trim();
    // `name=url`, as uv has it. The name means nothing here.
    let value = match value.split_once('=') {
        Some((label, url)) if !label.contains([':', '/']) => url,
        _ => value,
    };
    match Url::parse(value) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(with_slash(url)),
        Ok(url) if url.scheme() == "file" && url.to_file_path().is_ok() => Ok(with_slash(url)),
        Ok(_) => bad("is a URL of a kind that is not asked, expected http, https or file"),
        Err(_) => match std::path::absolute(value).map(Url::from_directory_path) {
            Ok(Ok(url)) if Path::new(value).is_dir() => Ok(url),
            _ => bad("is neither a URL nor a folder"),
        },
    }
}

/// An index is a folder: names are joined to it.
fn with_slash(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    url.set_fragment(None);
    url
}

fn is_true(value: &str) -> bool {
    ["1", "true", "yes", "on", "t", "y"].contains(&value.trim().to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<IndexSettings, Error> {
        IndexSettings::from_variables(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).into())
        })
    }

    fn urls(settings: &IndexSettings) -> (String, Vec<&str>) {
        let default = settings.default.as_ref().map(Url::to_string).unwrap_or_default();
        (default, settings.extra.iter().map(Url::as_str).collect())
    }

    const NO_CONF: (&str, &str) = ("PIP_CONFIG_FILE", "/dev/null");

    #[test]
    fn variables_come_in_order() {
        let found = settings(&[NO_CONF]).unwrap();
        assert_eq!(found, IndexSettings::default());
        assert!(urls(&found).0.starts_with("https://") && urls(&found).0.ends_with("/simple/"));
        let found = settings(&[
            NO_CONF,
            ("PIP_INDEX_URL", "https://pip/simple"),
            ("UV_INDEX_URL", "https://u:p@uv/simple/"),
            ("UV_INDEX", "one=https://one/ https://two/x"),
            ("PIP_EXTRA_INDEX_URL", " https://two/x\n https://three/"),
            ("UV_OFFLINE", "true"),
            ("REQUESTS_CA_BUNDLE", "/bundle"),
        ])
        .unwrap();
        let extra = ["https://one/", "https://two/x/", "https://three/"];
        assert_eq!(urls(&found), ("https://u:p@uv/simple/".into(), extra.to_vec()));
        assert!(found.offline && !found.require_hashes);
        assert_eq!(found.certificates, Some("/bundle".into()));
        let found = settings(&[
            NO_CONF,
            ("UV_DEFAULT_INDEX", "https://x/"),
            ("UV_INDEX_URL", "https://y/"),
        ])
        .unwrap();
        assert_eq!(urls(&found).0, "https://x/");
    }

    #[test]
    fn configuration_files_come_after_variables() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pip.conf");
        let text = "[global]\nindex_url = https://conf/simple\nextra-index-url = https://a/\n    https://b/\ncert: /conf.pem\n[install]\nindex-url=https://no/\n";
        std::fs::write(&path, text).unwrap();
        let conf = ("PIP_CONFIG_FILE", path.to_str().unwrap());
        let found = settings(&[conf]).unwrap();
        assert_eq!(
            urls(&found),
            ("https://conf/simple/".into(), vec!["https://a/", "https://b/"])
        );
        assert_eq!(found.certificates, Some("/conf.pem".into()));
        let found = settings(&[conf, ("PIP_INDEX_URL", "https://pip/"), ("PIP_CERT", "/env.pem")]).unwrap();
        assert_eq!(urls(&found).0, "https://pip/");
        assert_eq!(found.certificates, Some("/env.pem".into()));
        // The user's own file, where none is named.
        let own = folder.path().join(".config/pip");
        std::fs::create_dir_all(&own).unwrap();
        std::fs::write(own.join("pip.conf"), "[global]\nindex-url = https://own/\n").unwrap();
        let found = settings(&[("HOME", folder.path().to_str().unwrap())]).unwrap();
        assert_eq!(urls(&found).0, "https://own/");
    }

    #[test]
    fn a_setting_that_does_not_read_is_named_and_not_shown() {
        for value in [
            "https://me:secret@",
            "ftp://me:secret@host/",
            "/no/such/secret",
            "file://host/secret",
        ] {
            let error = settings(&[NO_CONF, ("PIP_INDEX_URL", value)]).unwrap_err();
            let text = format!("{error} {error:?} {:?}", error.hint());
            assert!(text.contains("PIP_INDEX_URL") && !text.contains("secret"), "{text}");
            assert!(error.hint().is_some());
        }
        let folder = tempfile::tempdir().unwrap();
        let url = index_url("x", folder.path().to_str().unwrap()).unwrap();
        assert_eq!(url.to_file_path().unwrap(), folder.path());
    }
}
