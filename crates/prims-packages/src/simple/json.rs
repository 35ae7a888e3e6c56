//! Pages in JSON (PEP 691).

use super::File;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use url::Url;

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    meta: Meta,
    name: String,
    files: Vec<Entry>,
}

#[derive(Deserialize, Default)]
struct Meta {
    #[serde(rename = "api-version")]
    version: String,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    filename: Lenient<String>,
    #[serde(default)]
    url: Lenient<String>,
    #[serde(default)]
    hashes: Lenient<BTreeMap<String, String>>,
    #[serde(default)]
    size: Lenient<u64>,
    #[serde(default, rename = "requires-python")]
    requires_python: Lenient<String>,
    #[serde(default)]
    yanked: Flag,
    #[serde(default, rename = "core-metadata")]
    core_metadata: Flag,
    #[serde(default, rename = "dist-info-metadata")]
    dist_info_metadata: Flag,
}

/// A value, or something else that is taken for nothing: one odd file must not spoil a page.
#[derive(Deserialize)]
#[serde(untagged)]
enum Lenient<T> {
    Some(T),
    Other(IgnoredAny),
}

impl<T> Default for Lenient<T> {
    fn default() -> Lenient<T> {
        Lenient::Other(IgnoredAny)
    }
}

impl<T> Lenient<T> {
    fn into_option(self) -> Option<T> {
        match self {
            Lenient::Some(value) => Some(value),
            Lenient::Other(_) => None,
        }
    }
}

/// Yes, no, or yes with a reason or with hashes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Flag {
    Is(bool),
    Because(String),
    Hashes(BTreeMap<String, String>),
    Other(IgnoredAny),
}

impl Default for Flag {
    fn default() -> Flag {
        Flag::Other(IgnoredAny)
    }
}

impl Flag {
    /// The hashes in it, if it is a yes.
    fn hashes(self) -> Option<BTreeMap<String, String>> {
        match self {
            Flag::Is(true) => Some(BTreeMap::new()),
            Flag::Hashes(hashes) => Some(hashes),
            _ => None,
        }
    }
}

/// Reads a page: the name of the project as it is written, and the files.
pub(super) fn read(page: &[u8], base: &Url) -> Result<(String, Vec<File>), String> {
    let page: Page = serde_json::from_slice(page).map_err(|error| error.to_string())?;
    if page.meta.version.split('.').next() != Some("1") {
        let version: String = page.meta.version.escape_debug().take(20).collect();
        return Err(format!("its format has version `{version}`, expected 1.x"));
    }
    let files = page.files.into_iter().filter_map(|entry| {
        let yanked = match entry.yanked {
            Flag::Is(true) => Some(String::new()),
            Flag::Because(reason) => Some(reason),
            _ => None,
        };
        let metadata = entry.core_metadata.hashes().or(entry.dist_info_metadata.hashes());
        Some(File {
            filename: entry.filename.into_option()?,
            url: base.join(&entry.url.into_option()?).ok()?,
            sha256: entry
                .hashes
                .into_option()
                .and_then(|mut hashes| hashes.remove("sha256")),
            size: entry.size.into_option(),
            requires_python: entry.requires_python.into_option(),
            yanked,
            metadata: metadata.map(|mut hashes| hashes.remove("sha256")),
        })
    });
    Ok((page.name, files.collect()))
}
