//! A local folder as an index: wheels side by side, or a folder for each project (PEP 503).

use crate::catalog::{Listing, Offer, Place};
use crate::error::Error;
use crate::filename::WheelFilename;
use crate::index::hexadecimal;
use crate::name::Name;
use crate::problem::IndexProblem;
use crate::simple::{self, Format, other_version};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use url::Url;

/// Entries of a folder that are looked at.
const MAX_ENTRIES: usize = 100_000;
/// Bytes of a wheel, here or on a server.
pub(crate) const MAX_WHEEL: u64 = 1 << 30;

/// What the folder has of a project.
pub(crate) fn listing(folder: &Path, shown: &str, name: &Name) -> Result<Option<Listing>, Error> {
    let entries = entries(folder)?;
    let is_project = |path: &&PathBuf| {
        let found = path.file_name().and_then(|name| Name::parse(name.to_str()?));
        found.as_ref() == Some(name) && path.is_dir()
    };
    let mut listing = Listing {
        index: shown.to_owned(),
        ..Listing::default()
    };
    if let Some(project) = entries.iter().find(is_project) {
        let page = project.join("index.html");
        if page.is_file() {
            return Ok(Some(read_page(&page, shown, name)?));
        }
        collect(&self::entries(project)?, name, &mut listing)?;
    } else {
        collect(&entries, name, &mut listing)?;
    }
    let is_known = !listing.wheels.is_empty() || !listing.other.is_empty();
    Ok(is_known.then_some(listing))
}

/// Names of projects the folder has something of.
pub(crate) fn names(folder: &Path) -> BTreeSet<Name> {
    let entries = entries(folder).unwrap_or_default();
    let names = entries.iter().filter_map(|path| {
        let file = path.file_name()?.to_str()?;
        match WheelFilename::parse(file) {
            Ok(wheel) => Some(wheel.name),
            Err(_) => path.is_dir().then(|| Name::parse(file)).flatten(),
        }
    });
    names.collect()
}

/// Adds the wheels and other archives of a project.
fn collect(files: &[PathBuf], name: &Name, listing: &mut Listing) -> Result<(), Error> {
    let mut other = BTreeSet::new();
    for path in files {
        let Some(file) = path.file_name().and_then(|file| file.to_str()) else {
            continue;
        };
        match WheelFilename::parse(file) {
            Ok(filename) if filename.name == *name => {
                let (sha256, size) = digest(path)?;
                listing.wheels.push(Offer {
                    filename,
                    place: Place::File(path.clone()),
                    sha256: Some(sha256),
                    size: Some(size),
                    requires_python: None,
                    yanked: None,
                    metadata: None,
                });
            }
            Ok(_) => {}
            Err(_) => other.extend(other_version(file, name)),
        }
    }
    listing.other = other.into_iter().collect();
    Ok(())
}

fn read_page(page: &Path, shown: &str, name: &Name) -> Result<Listing, Error> {
    let bytes = read(page, simple::MAX_PAGE)?;
    let url = Url::from_file_path(page).map_err(|()| unreadable(page, "its path is not absolute"))?;
    let mut listing = simple::listing(Format::Html, &bytes, &url, name, shown)?;
    for offer in &mut listing.wheels {
        if let (None, Place::File(path)) = (&offer.sha256, &offer.place) {
            let (sha256, size) = digest(path)?;
            (offer.sha256, offer.size) = (Some(sha256), Some(size));
        }
    }
    Ok(listing)
}

/// The entries of a folder in a fixed order.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let listed = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error.to_string()))?;
    let mut entries = vec![];
    for entry in listed.take(MAX_ENTRIES + 1) {
        entries.push(entry.map_err(|error| unreadable(folder, &error.to_string()))?.path());
    }
    if entries.len() > MAX_ENTRIES {
        return Err(unreadable(folder, "it has more than 100000 entries"));
    }
    entries.sort();
    Ok(entries)
}

/// Reads a local file of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let bad = |error: std::io::Error| unreadable(path, &error.to_string());
    let mut bytes = vec![];
    open(path)?.take(limit + 1).read_to_end(&mut bytes).map_err(bad)?;
    if bytes.len() as u64 > limit {
        return Err(unreadable(path, &format!("it is longer than {limit} bytes")));
    }
    Ok(bytes)
}

/// The SHA-256 and the length of a local wheel.
fn digest(path: &Path) -> Result<(String, u64), Error> {
    let bad = |error: std::io::Error| unreadable(path, &error.to_string());
    let (mut hash, mut len, mut buffer) = (Sha256::new(), 0u64, vec![0; 256 << 10]);
    let mut file = open(path)?.take(MAX_WHEEL + 1);
    loop {
        match file.read(&mut buffer).map_err(bad)? {
            0 => break,
            count => {
                hash.update(&buffer[..count]);
                len += count as u64;
            }
        }
    }
    if len > MAX_WHEEL {
        return Err(unreadable(path, &format!("it is longer than {MAX_WHEEL} bytes")));
    }
    Ok((hexadecimal(&hash.finalize()), len))
}

/// Opens a plain file; a pipe in its place must not be waited for.
fn open(path: &Path) -> Result<File, Error> {
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => Err(unreadable(path, "it is not a file")),
        Ok(_) => File::open(path).map_err(|error| unreadable(path, &error.to_string())),
        Err(error) => Err(unreadable(path, &error.to_string())),
    }
}

fn unreadable(path: &Path, reason: &str) -> Error {
    let filename = path.file_name().map(|name| name.to_string_lossy().into_owned());
    Error::Index(IndexProblem::LocalFile {
        filename: filename.unwrap_or_default(),
        reason: reason.to_owned(),
    })
}
