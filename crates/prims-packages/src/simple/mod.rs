//! Pages of an index about one project: PEP 503 (HTML) and PEP 691 (JSON), and what they offer.

mod html;
mod json;

use crate::catalog::{Listing, MetadataFile, Offer, Place};
use crate::filename::WheelFilename;
use crate::index::digest_of;
use crate::location::{filename, percent_decoded, redacted, without_credentials};
use crate::name::Name;
use crate::problem::IndexProblem;
use html::{Kind, Tag, Token, Tokens};
use pep440_rs::{Version, VersionSpecifiers};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Component, Path};
use std::str::FromStr;
use url::Url;

/// What is accepted, as pip says it.
pub(crate) const ACCEPT: &str =
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01";
/// Bytes of a page.
pub(crate) const MAX_PAGE: u64 = 64 << 20;
/// Files a page may list.
const MAX_FILES: usize = 100_000;
/// Longest reason for a yank that is kept.
const MAX_REASON: usize = 500;

/// Endings of what is no wheel and has a version all the same.
const OTHER_ENDINGS: [&str; 9] = [
    ".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tar.Z", ".egg", ".exe", ".msi",
];

/// A file as a page lists it.
struct File {
    filename: String,
    url: Url,
    sha256: Option<String>,
    size: Option<u64>,
    requires_python: Option<String>,
    yanked: Option<String>,
    /// `METADATA` is served beside it; its SHA-256 if that is said.
    metadata: Option<Option<String>>,
}

/// What a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Format {
    Html,
    Json,
}

impl Format {
    /// Reads a content type. `None` when pages do not come as that.
    pub(crate) fn of(content_type: Option<&str>) -> Option<Format> {
        let kind = content_type
            .unwrap_or("text/html")
            .split(';')
            .next()
            .unwrap_or_default();
        match kind.trim().to_ascii_lowercase().as_str() {
            "application/vnd.pypi.simple.v1+json" | "application/vnd.pypi.simple.latest+json" | "application/json" => {
                Some(Format::Json)
            }
            "application/vnd.pypi.simple.v1+html" | "application/vnd.pypi.simple.latest+html" | "text/html" | "" => {
                Some(Format::Html)
            }
            _ => None,
        }
    }
}

/// Reads a page about a project.
///
/// `url` is where the page came from; `index` is what messages call the index.
pub(crate) fn listing(
    format: Format,
    page: &[u8],
    url: &Url,
    name: &Name,
    index: &str,
) -> Result<Listing, IndexProblem> {
    let url = &without_credentials(url);
    let broken = |reason: String| IndexProblem::Page {
        url: redacted(url),
        reason,
    };
    let files = match format {
        Format::Json => {
            let (found, files) = json::read(page, url).map_err(broken)?;
            if Name::parse(&found).as_ref() != Some(name) {
                return Err(other_project(url, found, name));
            }
            files
        }
        Format::Html => read_html(&String::from_utf8_lossy(page), url)?,
    };
    offers(files, url, name, index)
}

fn too_many() -> String {
    format!("it lists more than {MAX_FILES} files")
}

fn other_project(url: &Url, found: String, name: &Name) -> IndexProblem {
    IndexProblem::OtherProject {
        url: redacted(url),
        found: found.chars().take(100).collect(),
        expected: name.to_string(),
    }
}

fn read_html(page: &str, url: &Url) -> Result<Vec<File>, IndexProblem> {
    let mut base: Option<Url> = None;
    let mut files = vec![];
    let (mut is_index, mut odd) = (false, None);
    for token in Tokens::new(page) {
        let tag = match token {
            Token::Tag(tag) => tag,
            Token::Text(text) => {
                // What indexes write as title and heading.
                is_index |= text.trim_ascii_start().starts_with("Links for");
                continue;
            }
        };
        let href = tag.get("href");
        match (tag.kind(), href) {
            (Kind::Anchor, Some(href)) => match anchor(&tag, &href, base.as_ref().unwrap_or(url)) {
                Some(file) if is_distribution(&file.filename) => files.push(file),
                _ if href.ends_with('/') || href.starts_with('?') => {}
                _ => odd = odd.or(Some("it has links to other things than packages")),
            },
            (Kind::Base, Some(href)) if base.is_none() => base = url.join(&href).ok(),
            (Kind::Meta, _) => {
                let name = tag.get("name").unwrap_or_default();
                is_index |= name.eq_ignore_ascii_case("pypi:repository-version");
            }
            (Kind::Interactive, _) => odd = odd.or(Some("it is for a person to use")),
            _ => {}
        }
        if files.len() > MAX_FILES {
            let (url, reason) = (redacted(url), too_many());
            return Err(IndexProblem::Page { url, reason });
        }
    }
    match odd {
        Some(reason) if files.is_empty() && !is_index => Err(IndexProblem::NotAnIndex {
            url: redacted(url),
            reason: reason.to_owned(),
        }),
        _ => Ok(files),
    }
}

fn anchor(tag: &Tag, href: &str, base: &Url) -> Option<File> {
    let mut url = base.join(href.trim()).ok()?;
    let fragment = url.fragment().and_then(percent_decoded).unwrap_or_default();
    url.set_fragment(None);
    let sha256 = fragment.split('&').find_map(|part| part.strip_prefix("sha256="));
    let metadata = tag
        .get("data-core-metadata")
        .or_else(|| tag.get("data-dist-info-metadata"));
    let metadata = metadata
        .filter(|value| !value.eq_ignore_ascii_case("false"))
        .map(|value| value.strip_prefix("sha256=").map(str::to_owned));
    Some(File {
        filename: filename(&url)?,
        url,
        sha256: sha256.map(str::to_owned),
        size: None,
        requires_python: tag.get("data-requires-python").map(|value| value.into_owned()),
        yanked: tag.get("data-yanked").map(|value| value.into_owned()),
        metadata,
    })
}

fn is_distribution(filename: &str) -> bool {
    filename.ends_with(".whl") || OTHER_ENDINGS.iter().any(|ending| filename.ends_with(ending))
}

/// Sorts the files of a page.
fn offers(files: Vec<File>, page: &Url, name: &Name, index: &str) -> Result<Listing, IndexProblem> {
    let (mut wheels, mut other, mut stranger) = (vec![], BTreeSet::new(), None);
    for file in files {
        if !file.filename.ends_with(".whl") {
            other.extend(other_version(&file.filename, name));
            continue;
        }
        // Wheels with names that do not read are for nobody.
        let Ok(wheel) = WheelFilename::parse(&file.filename) else {
            continue;
        };
        if wheel.name != *name {
            stranger.get_or_insert(wheel.name);
            continue;
        }
        let Some(place) = place(&file.url, page) else { continue };
        wheels.push(Offer {
            filename: wheel,
            place,
            sha256: file.sha256.as_deref().and_then(digest_of),
            size: file.size,
            // A range that does not read is no range, as for other installers.
            requires_python: file
                .requires_python
                .and_then(|text| VersionSpecifiers::from_str(&text).ok()),
            yanked: file.yanked.map(|reason| reason.chars().take(MAX_REASON).collect()),
            metadata: file.metadata.map(|hash| MetadataFile {
                sha256: hash.as_deref().and_then(digest_of),
            }),
        });
    }
    match stranger {
        Some(found) if wheels.is_empty() && other.is_empty() => Err(other_project(page, found.to_string(), name)),
        _ => Ok(Listing {
            index: index.to_owned(),
            wheels,
            other: other.into_iter().collect(),
        }),
    }
}

/// Where a file is, if a page at `page` may say so: only a local page leads to local files, and only below its own folder's parent;
/// an encrypted one leads to nothing unencrypted, as no redirect does.
fn place(url: &Url, page: &Url) -> Option<Place> {
    match (page.scheme(), url.scheme()) {
        // Nobody on the way may choose the wheel, if nobody could change the page.
        ("https", "http") => None,
        (_, "http" | "https") if url.host().is_some() => Some(Place::Url(without_credentials(url))),
        ("file", "file") => {
            let (file, page) = (url.to_file_path().ok()?, page.to_file_path().ok()?);
            let root = page.parent().and_then(Path::parent)?;
            // An escaped slash may hide a step upwards.
            let is_plain = !file.components().any(|part| part == Component::ParentDir);
            (is_plain && file.starts_with(root)).then_some(Place::File(file))
        }
        _ => None,
    }
}

/// The version in the name of a source archive, an egg or an installer of a project.
pub(crate) fn other_version(filename: &str, name: &Name) -> Option<Version> {
    let ending = OTHER_ENDINGS.iter().find(|ending| filename.ends_with(**ending))?;
    let stem = &filename[..filename.len() - ending.len()];
    if stem.len() > 200 {
        return None;
    }
    // Old archives have hyphens in their names.
    let (_, version) = stem
        .match_indices('-')
        .map(|(at, _)| (&stem[..at], &stem[at + 1..]))
        .find(|(project, _)| Name::parse(project).as_ref() == Some(name))?;
    let version = match *ending {
        ".egg" | ".exe" | ".msi" => version.split_once('-').map_or(version, |(version, _)| version),
        _ => version,
    };
    Version::from_str(version)
        .ok()
        .or_else(|| Version::from_str(version.split_once(".win")?.0).ok())
}

#[cfg(test)]
mod tests;
