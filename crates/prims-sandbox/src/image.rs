//! Images: a started interpreter with an environment imported, as pages, ready to be cloned.
//!
//! An image's payload is its linear memory; pages of zeros are holes. Its metadata says how the instance was linked. The
//! interpreter's globals lie in the memory itself, so nothing else is needed to go on where the image was taken.

use crate::error::Error;
use crate::link::{LinkageRecord, MAX_LIBRARIES};
use crate::outcome::Prepared;
use prims_cache::EntryWriter;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Changes whenever images of an older build must not be used: the transform, the wire format, the order of mounts.
pub(crate) const IMAGE_VERSION: u32 = 4;

/// What entries with images are called in a cache.
pub const IMAGE: &str = "image";

/// Holes are found at this granularity, the smallest page of any host.
const PAGE: usize = 4096;

/// What an image's cache entry says beside its pages.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ImageRecord {
    /// Another one for each building: what else is alike in two images says nothing about where things lie in them.
    pub(crate) identity: String,
    pub(crate) memory_len: usize,
    pub(crate) linkage: LinkageRecord,
    pub(crate) prepared: Prepared,
    /// The environment's native modules: guest path and digest of the WebAssembly.
    pub(crate) libraries: Vec<(String, String)>,
    /// Those that cannot be used: guest path and reason.
    pub(crate) unusable: BTreeMap<String, String>,
}

impl ImageRecord {
    /// Fills a cache entry: the memory, as long as it is, so that every host can map it (64 KiB is WebAssembly's page and the largest
    /// usual one), and this record.
    pub(crate) fn write(&self, memory: &[u8], out: &mut EntryWriter) -> Result<(), Error> {
        let failed = || Error::io("cannot write the image");
        write_pages(memory, out).map_err(failed())?;
        out.set_len(self.memory_len as u64).map_err(failed())?;
        out.set_metadata(serde_json::to_vec(self).map_err(|error| Error::Invalid(error.to_string()))?);
        Ok(())
    }
}

/// Writes a memory so that its zero pages stay holes.
fn write_pages(memory: &[u8], out: &mut (impl Write + Seek)) -> std::io::Result<()> {
    let mut at = 0;
    for run in memory.chunks(PAGE) {
        if run.iter().any(|byte| *byte != 0) {
            out.seek(SeekFrom::Start(at))?;
            out.write_all(run)?;
        }
        at += run.len() as u64;
    }
    Ok(())
}

/// Where the environment's packages are mounted.
pub(crate) const SITE_PACKAGES: &str = "/usr/local/lib/python3.13/site-packages";

/// How the names of native modules end, whatever tags stand before it. Wheels may hold other libraries with such names.
const SUFFIX: &str = ".so";

/// The native modules below an environment's folder: guest path and host path, in a fixed order.
pub(crate) fn native_modules(environment: &Path) -> std::io::Result<Vec<(String, PathBuf)>> {
    let (mut found, mut folders) = (vec![], vec![(environment.to_owned(), SITE_PACKAGES.to_owned())]);
    while let Some((folder, guest)) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let kind = entry.file_type()?;
            let guest = format!("{guest}/{name}");
            if kind.is_dir() {
                folders.push((entry.path(), guest));
            } else if kind.is_file() && name.ends_with(SUFFIX) {
                found.push((guest, entry.path()));
            }
        }
    }
    if found.len() > MAX_LIBRARIES {
        let message = format!("{} native modules, at most {MAX_LIBRARIES} are supported", found.len());
        return Err(std::io::Error::other(message));
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn zero_pages_are_skipped_and_the_rest_is_where_it_was() {
        let mut memory = vec![0u8; 5 * PAGE];
        memory[PAGE + 7] = 1;
        memory[4 * PAGE] = 2;
        let mut out = Cursor::new(vec![]);
        write_pages(&memory, &mut out).unwrap();
        assert_eq!(out.into_inner(), [&memory[..], &[]].concat());
    }
}
