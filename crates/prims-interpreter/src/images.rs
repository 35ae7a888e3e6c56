//! The environments used last, with their images mapped.

use crate::Prepared;
use crate::packages::Asked;
use std::time::{Duration, Instant};

/// Images kept mapped at a time; the one used longest ago goes first.
const MAPPED_IMAGES: usize = 8;

/// Requirements are looked up again after this long: there may be newer versions.
const FRESH: Duration = Duration::from_secs(3600);

/// If that fails, they are looked up again after this long: each attempt may take as long as an index may be waited for.
const RETRY: Duration = Duration::from_secs(60);

/// The most recently used environments, found by what was asked for.
#[derive(Default)]
pub(crate) struct Images(Vec<Known>);

struct Known {
    asked: Asked,
    used: Instant,
    fresh_until: Instant,
    prepared: Prepared,
}

impl Images {
    /// What was asked for before, and whether its versions were looked up lately.
    pub(crate) fn recall(&mut self, asked: &Asked) -> Option<(Prepared, bool)> {
        let known = self.0.iter_mut().find(|known| known.asked == *asked)?;
        known.used = Instant::now();
        Some((known.prepared.clone(), Instant::now() < known.fresh_until))
    }

    /// The same environment asked for in other words.
    pub(crate) fn with_digest(&self, digest: &str) -> Option<Prepared> {
        let known = self.0.iter().find(|known| known.prepared.installed.digest == digest);
        known.map(|known| known.prepared.clone())
    }

    /// Its versions could not be looked up; they stay what they are for a while.
    pub(crate) fn postpone(&mut self, asked: &Asked) {
        if let Some(known) = self.0.iter_mut().find(|known| known.asked == *asked) {
            known.fresh_until = Instant::now() + RETRY;
        }
    }

    pub(crate) fn remember(&mut self, asked: Asked, prepared: Prepared) {
        self.0.retain(|known| known.asked != asked);
        let oldest = self.0.iter().enumerate().min_by_key(|(_, known)| known.used);
        if let Some((oldest, _)) = oldest.filter(|_| self.0.len() >= MAPPED_IMAGES) {
            self.0.swap_remove(oldest);
        }
        let now = Instant::now();
        self.0.push(Known {
            asked,
            used: now,
            fresh_until: now + FRESH,
            prepared,
        });
    }
}
