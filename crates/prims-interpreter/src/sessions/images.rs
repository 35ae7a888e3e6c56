//! The images that sessions build on: found by what makes them this image and no other, and kept where cleaning the cache does not
//! reach.

use super::store::ImageNote;
use crate::{Error, Interpreter, Prepared};
use prims_cache::Cache;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

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
    /// Identities of images that were copied or found copied.
    copied: HashSet<String>,
}

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

    /// Makes sure that the image, which a run with these requirements began with, will be found again, and says how.
    pub(super) fn note(&self, prepared: &Prepared, requirements: Vec<String>) -> Result<ImageNote, Error> {
        let identity = prepared.image.identity().to_owned();
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_copied = known().copied.contains(&identity);
        if !is_copied {
            prepared.image.keep(&self.keeper)?;
            known().copied.insert(identity.clone());
        }
        self.remember(prepared);
        let pin = |(name, version): &(String, String)| format!("{name}=={version}");
        Ok(ImageNote {
            identity,
            pinned: prepared.packages.iter().map(pin).collect(),
            requirements: Some(requirements),
        })
    }

    /// The image a note speaks of. `None`: it is gone, or made by a version of the program that this one cannot stand in for.
    pub(super) fn find(&self, interpreter: &Interpreter, note: &ImageNote) -> Result<Option<Prepared>, Error> {
        let recent = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
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
        let recent = &mut self.known.lock().unwrap_or_else(PoisonError::into_inner).recent;
        recent.retain(|known| known.image.identity() != prepared.image.identity());
        if recent.len() >= MAPPED {
            recent.remove(0);
        }
        recent.push(prepared.clone());
    }
}
