//! Asking before the answer is needed: the resolver chooses one package after another, indexes answer many at once.

use crate::catalog::{Listing, Offer, Source};
use crate::indexes::Indexes;
use crate::name::Name;
use crate::target::Target;
use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Threads that ask ahead.
const THREADS: usize = 8;
/// Names that are remembered: a resolution that expects more has gone astray.
const MAX_NAMES: usize = 2000;

/// What is expected and not asked for yet.
#[derive(Debug, Default)]
pub(crate) struct Prefetch(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    seen: HashSet<Name>,
    waiting: VecDeque<Name>,
    threads: usize,
}

impl Prefetch {
    /// Asks for names that were not expected before, from threads that end when there is no more to ask. Failures are told
    /// to whoever needs the answer, and to nobody else.
    pub(crate) fn start(&self, indexes: &Indexes, names: &[Name]) {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            if queue.seen.len() < MAX_NAMES && queue.seen.insert(name.clone()) {
                queue.waiting.push_back(name.clone());
            }
        }
        while queue.threads < THREADS.min(queue.waiting.len()) {
            let indexes = indexes.clone();
            let thread = std::thread::Builder::new().name("prims-prefetch".into());
            // Without a thread there is no prefetching, and nothing else changes.
            if thread.spawn(move || indexes.prefetch().work(&indexes)).is_err() {
                break;
            }
            queue.threads += 1;
        }
    }

    /// Forgets what is not asked for yet, so that installing need not share connections and budget with it.
    pub(crate) fn stop(&self) {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Queue { seen, waiting, .. } = &mut *queue;
        for name in waiting.drain(..) {
            seen.remove(&name);
        }
    }

    fn work(&self, indexes: &Indexes) {
        while let Some(name) = self.next() {
            if let Ok(Some(listing)) = indexes.listing(&name)
                && let Some(offer) = likely(&listing, indexes.bundle().target())
                // For what may not be needed nobody fetches parts of a wheel, or all of it.
                && indexes.has_metadata_at_hand(offer)
            {
                let _ = indexes.metadata(offer);
            }
        }
    }

    /// The next name; without one, the thread counts as ended.
    fn next(&self) -> Option<Name> {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = queue.waiting.pop_front();
        queue.threads -= usize::from(next.is_none());
        next
    }
}

/// The wheel that is chosen if nothing speaks against it: of the newest version that is no pre-release.
fn likely<'a>(listing: &'a Listing, target: &Target) -> Option<&'a Offer> {
    let python = target.pep440();
    let fits = |offer: &&Offer| {
        let accepts = |wanted: &pep440_rs::VersionSpecifiers| wanted.contains(&python);
        offer.yanked.is_none()
            && !offer.filename.version.any_prerelease()
            && offer.filename.check(target).is_ok()
            && offer.requires_python.as_ref().is_none_or(accepts)
    };
    // The first of equals, as `max_by` gives the last.
    listing
        .wheels
        .iter()
        .rev()
        .filter(fits)
        .max_by(|a, b| a.filename.version.cmp(&b.filename.version))
}
