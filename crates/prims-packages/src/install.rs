//! From wheels to a folder packages can be imported from.

use crate::error::{Error, WheelProblem};
use crate::index::{Resolved, ResolvedWheel};
use prims_cache::{Cache, DirEntry, DirWriter, Key};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::path::PathBuf;

/// Most bytes of an environment.
const MAX_BYTES: u64 = 1 << 30;
/// Most files of an environment.
const MAX_FILES: u64 = 50_000;
/// Changes with what is made from the same wheels.
const LAYOUT: u32 = 1;

/// Packages, unpacked. The folder stays until this and all clones are dropped; after that it may be cleaned away.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The folder packages are imported from.
    pub path: PathBuf,
    /// The packages, by name and version, sorted by name.
    pub packages: Vec<(String, String)>,
    /// Names that can be imported, sorted.
    pub top_level: Vec<String>,
    /// Names the content uniquely: hexadecimal digits.
    pub digest: String,
    _entry: DirEntry,
}

/// What is remembered with the folder.
#[derive(Serialize, Deserialize)]
struct Record {
    top_level: Vec<String>,
}

/// Unpacks wheels into the cache, or finds them there. No code of a package runs.
///
/// # Errors
/// [`Error::DigestMismatch`], [`Error::BadWheel`], [`Error::Clash`], [`Error::TooLarge`], [`Error::Cache`]; then there is no
/// environment, not half of one.
pub fn install(cache: &Cache, resolved: &Resolved) -> Result<Environment, Error> {
    let key = Key::new("environment").with("layout", &LAYOUT.to_le_bytes());
    let key = resolved
        .wheels
        .iter()
        .fold(key, |key, wheel| key.with("wheel", wheel.sha256().as_bytes()));
    let entry = cache.dir("environment", &key, |writer| unpack(resolved, writer))?;
    let record: Record = serde_json::from_slice(entry.metadata()).unwrap_or(Record { top_level: vec![] });
    let package = |wheel: &ResolvedWheel| (wheel.name().to_string(), wheel.version());
    Ok(Environment {
        path: entry.path().to_owned(),
        packages: resolved.wheels.iter().map(package).collect(),
        top_level: record.top_level,
        digest: key.hex(),
        _entry: entry,
    })
}

fn unpack(resolved: &Resolved, writer: &mut DirWriter) -> Result<(), Error> {
    let (mut bytes, mut files) = (0u64, 0u64);
    let mut opened = vec![];
    for wheel in &resolved.wheels {
        let inside = wheel.open()?;
        let (size, count) = inside.size();
        (bytes, files) = (bytes.saturating_add(size), files.saturating_add(count));
        opened.push((wheel, inside));
    }
    // Announced sizes are binding: unpacking a file to more is an error. So this is decided before anything is written.
    for (found, limit, unit) in [(bytes, MAX_BYTES, "bytes"), (files, MAX_FILES, "files")] {
        if found > limit {
            return Err(Error::TooLarge { found, limit, unit });
        }
    }
    let mut top_level = BTreeSet::new();
    // Which package brought a file, and the digest of what it brought.
    let mut owners: HashMap<String, (&ResolvedWheel, String)> = HashMap::new();
    for (wheel, inside) in &opened {
        inside
            .unpack(|file| {
                let digest = Key::new("file").with("content", &file.content).hex();
                match owners.get(&file.path) {
                    // Packages may share a file, such as an empty `__init__.py` of a common namespace.
                    Some((owner, same)) if *same == digest && owner.name() != wheel.name() => return Ok(()),
                    Some((owner, _)) if owner.name() != wheel.name() => {
                        return Err(Failure::Other(Error::Clash {
                            path: file.path,
                            first: owner.name().to_string(),
                            second: wheel.name().to_string(),
                        }));
                    }
                    _ => {}
                }
                writer.file(&file.path, &file.content).map_err(|error| match error {
                    prims_cache::Error::EntryPath { path, problem } => Failure::Wheel(WheelProblem::Path {
                        path,
                        reason: problem.to_string(),
                    }),
                    other => Failure::Other(other.into()),
                })?;
                owners.insert(file.path, (wheel, digest));
                Ok(())
            })
            .map_err(|failure| match failure {
                Failure::Wheel(problem) => wheel.bad(problem),
                Failure::Other(error) => error,
            })?;
        top_level.extend(inside.top_level().map_err(|problem| wheel.bad(problem))?);
    }
    let record = Record {
        top_level: top_level.into_iter().collect(),
    };
    writer.set_metadata(serde_json::to_vec(&record).unwrap_or_default());
    Ok(())
}

/// A wheel's own fault, which still lacks its name, or anything else.
enum Failure {
    Wheel(WheelProblem),
    Other(Error),
}

impl From<WheelProblem> for Failure {
    fn from(problem: WheelProblem) -> Failure {
        Failure::Wheel(problem)
    }
}
