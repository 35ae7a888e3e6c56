//! The images that sessions build on: found by what makes them this image and no other, and kept where cleaning the cache does not
//! reach.

use super::store::ImageNote;
use crate::{Error, Interpreter, Prepared};
use prims_cache::{Cache, Key};
use prims_sandbox::IMAGE;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Images kept mapped for sessions, beside those the interpreter keeps; usually they are the same.
const MAPPED: usize = 8;

pub(super) struct Images {
    keeper: Cache,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The one used last comes last.
    recent: Vec<Prepared>,
    /// The copies that were made or found, by identity.
    copied: HashMap<String, Copied>,
}

/// A copy of an image.
struct Copied {
    key: Key,
    /// Has another owner while somebody is about to use the copy.
    pin: Pin,
    /// When a session needed it last.
    needed: Instant,
}

/// Keeps a copy until the session that needs it says so itself.
pub(super) type Pin = Arc<()>;

impl Images {
    pub(super) fn open(folder: PathBuf) -> Result<Images, Error> {
        let keeper = Cache::open(Some(&folder)).map_err(prims_sandbox::Error::from)?;
        Ok(Images {
            keeper,
            known: Mutex::default(),
        })
    }

    /// Removes all copies, when there is no session that needs one.
    pub(super) fn clean(&self) {
        // What stays is found and removed another time.
        let _ = self.keeper.clean();
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes sure that the image, which a run with these requirements began with, will be found again, and says how. It stays at least
    /// as long as the pin.
    pub(super) fn note(&self, prepared: &Prepared, requirements: Vec<String>) -> Result<(ImageNote, Pin), Error> {
        let identity = prepared.image.identity().to_owned();
        let copied = self.known().copied.get(&identity).map(|copied| Arc::clone(&copied.pin));
        let pin = match copied {
            Some(pin) => pin,
            None => {
                let key = prepared.image.keep(&self.keeper)?;
                let pin = Pin::default();
                let mut known = self.known();
                // Another session may have been as quick.
                let needed = Instant::now();
                let copied = known.copied.entry(identity.clone());
                let copied = copied.or_insert(Copied { key, pin, needed });
                Arc::clone(&copied.pin)
            }
        };
        self.remember(prepared);
        let exactly = |(name, version): &(String, String)| format!("{name}=={version}");
        let note = ImageNote {
            identity,
            pinned: prepared.packages.iter().map(exactly).collect(),
            requirements: Some(requirements),
        };
        Ok((note, pin))
    }

    /// Removes the copies that no session has needed for `spare`; `in_use` lists those that one needs now.
    pub(super) fn prune(&self, spare: Duration, in_use: impl FnOnce() -> HashSet<String>) {
        let mut known = self.known();
        if known.copied.is_empty() {
            return;
        }
        // Looked up while nobody can pin another one.
        let in_use = in_use();
        known.copied.retain(|identity, copied| {
            let is_needed = in_use.contains(identity) || Arc::strong_count(&copied.pin) > 1;
            if is_needed {
                copied.needed = Instant::now();
            }
            // One that cannot be removed now is tried the next time.
            is_needed || copied.needed.elapsed() < spare || self.keeper.forget(IMAGE, &copied.key).is_err()
        });
    }

    /// The image a note speaks of. `None`: it is gone, or made by a version of the program that this one cannot stand in for.
    pub(super) fn find(&self, interpreter: &Interpreter, note: &ImageNote) -> Result<Option<Prepared>, Error> {
        let recent = {
            let known = self.known();
            let mut recent = known.recent.iter();
            recent.find(|known| known.image.identity() == note.identity).cloned()
        };
        let found = match recent {
            Some(found) => Some(found),
            None => interpreter.prepare_kept(&note.pinned, &note.identity, &self.keeper)?,
        };
        found.iter().for_each(|found| self.remember(found));
        Ok(found)
    }

    fn remember(&self, prepared: &Prepared) {
        let recent = &mut self.known().recent;
        recent.retain(|known| known.image.identity() != prepared.image.identity());
        if recent.len() >= MAPPED {
            recent.remove(0);
        }
        recent.push(prepared.clone());
    }
}
