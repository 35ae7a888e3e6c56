//! Wheels into one folder: several are unpacked at the same time, one thread writes.

use crate::error::{Error, WheelProblem};
use crate::filename::WheelFilename;
use crate::wheel::{File, Wheel};
use prims_cache::DirWriter;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

/// Most bytes of an environment, and of its wheels.
const MAX_BYTES: u64 = 1 << 30;
/// Most files of an environment.
const MAX_FILES: u64 = 50_000;
/// Threads that unpack.
const THREADS: usize = 4;
/// Files that wait to be written.
const AHEAD: usize = 16;

/// A wheel that is to be unpacked.
pub(crate) trait Packed: Sync {
    fn filename(&self) -> &WheelFilename;
    /// Its file name, for messages.
    fn file(&self) -> &str;
    fn sha256(&self) -> &str;
    /// Its bytes, verified. They are held no longer than it takes to unpack them.
    fn bytes(&self) -> Result<Cow<'_, [u8]>, Error>;
    /// Looks at the inside before it is unpacked.
    fn inspect(&self, _inside: &Wheel) -> Result<(), Failure> {
        Ok(())
    }
}

/// A wheel's own fault, which still lacks its name, or anything else.
pub(crate) enum Failure {
    Wheel(WheelProblem),
    Other(Error),
    /// Nobody takes its files any more, because another one failed.
    Stopped,
}

impl From<WheelProblem> for Failure {
    fn from(problem: WheelProblem) -> Failure {
        Failure::Wheel(problem)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Other(error)
    }
}

impl Failure {
    fn of(self, wheel: &impl Packed) -> Option<Error> {
        match self {
            Failure::Wheel(problem) => Some(bad(wheel, problem)),
            Failure::Other(error) => Some(error),
            Failure::Stopped => None,
        }
    }
}

fn bad(wheel: &impl Packed, problem: WheelProblem) -> Error {
    Error::BadWheel {
        filename: wheel.file().to_owned(),
        problem,
    }
}

/// What a wheel brings.
enum Part {
    File(File),
    /// It is whole. These are its names that can be imported.
    End(Vec<String>),
    Failed(Failure),
}

/// Unpacks all wheels; gives what can be imported from each package.
pub(crate) fn unpack<W: Packed>(wheels: &[W], writer: &mut DirWriter) -> Result<BTreeMap<String, Vec<String>>, Error> {
    check_sizes(wheels)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let (sender, parts) = sync_channel(AHEAD);
        for _ in 0..threads.min(THREADS).min(wheels.len()) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || read_all(wheels, next, &sender));
        }
        drop(sender);
        let (mut modules, mut owners) = (BTreeMap::new(), HashMap::new());
        // When this ends early, the receiver goes, and with it whoever sends.
        for (index, part) in parts {
            let wheel: &W = &wheels[index];
            let failure = match part {
                Part::File(file) => place(file, index, wheels, &mut owners, writer).err(),
                Part::End(names) => {
                    modules.insert(wheel.filename().name.to_string(), names);
                    None
                }
                Part::Failed(failure) => Some(failure),
            };
            if let Some(error) = failure.and_then(|failure| failure.of(wheel)) {
                return Err(error);
            }
        }
        Ok(modules)
    })
}

/// Reads one wheel after another until there is none left, or nobody takes what comes.
fn read_all<W: Packed>(wheels: &[W], next: &AtomicUsize, parts: &SyncSender<(usize, Part)>) {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(wheel) = wheels.get(index) else { return };
        let part = read(wheel, |file| {
            parts.send((index, Part::File(file))).map_err(|_| Failure::Stopped)
        })
        .map_or_else(Part::Failed, Part::End);
        if parts.send((index, part)).is_err() {
            return;
        }
    }
}

fn read(wheel: &impl Packed, send: impl FnMut(File) -> Result<(), Failure>) -> Result<Vec<String>, Failure> {
    let bytes = wheel.bytes()?;
    let inside = Wheel::open(wheel.filename(), &bytes)?;
    wheel.inspect(&inside)?;
    inside.unpack(send)?;
    Ok(inside.top_level()?.into_iter().collect())
}

/// Announced sizes are binding: unpacking a file to more is an error. So this is decided before anything is written.
fn check_sizes<W: Packed>(wheels: &[W]) -> Result<(), Error> {
    let (mut packed, mut unpacked, mut files) = (0u64, 0u64, 0u64);
    for wheel in wheels {
        let bytes = wheel.bytes()?;
        let inside = Wheel::open(wheel.filename(), &bytes).map_err(|problem| bad(wheel, problem))?;
        let (size, count) = inside.size();
        packed = packed.saturating_add(bytes.len() as u64);
        (unpacked, files) = (unpacked.saturating_add(size), files.saturating_add(count));
    }
    let bytes = packed.max(unpacked);
    for (found, limit, unit) in [(bytes, MAX_BYTES, "bytes"), (files, MAX_FILES, "files")] {
        if found > limit {
            return Err(Error::TooLarge { found, limit, unit });
        }
    }
    Ok(())
}

/// Which wheel brought a file, and the digest of what it brought.
type Owners = HashMap<String, (usize, String)>;

/// Writes a file of the wheel with an index.
fn place<W: Packed>(
    file: File,
    index: usize,
    wheels: &[W],
    owners: &mut Owners,
    writer: &mut DirWriter,
) -> Result<(), Failure> {
    match owners.get(&file.path) {
        // Packages may share a file, such as an empty `__init__.py` of a common namespace.
        Some((owner, same)) if *same == file.sha256 && *owner != index => return Ok(()),
        Some((owner, _)) if *owner != index => {
            let name = |index: usize| wheels[index].filename().name.to_string();
            return Err(Failure::Other(Error::Clash {
                path: file.path,
                first: name(index.min(*owner)),
                second: name(index.max(*owner)),
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
    owners.insert(file.path, (index, file.sha256));
    Ok(())
}
