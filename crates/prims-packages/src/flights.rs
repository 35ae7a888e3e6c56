//! Every question is asked once: whoever asks while it is being answered waits for the answer, and later ones find it.

use crate::error::Error;
use crate::problem::IndexProblem;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// Answers by question. What an index is to blame for is an answer too; other failures are not kept.
#[derive(Debug)]
pub(crate) struct Flights<K, V>(Mutex<HashMap<K, Arc<Slot<V>>>>);

type Slot<V> = Mutex<Option<Result<V, IndexProblem>>>;

impl<K: Hash + Eq, V: Clone> Flights<K, V> {
    /// The answer, found by `ask` if nobody has asked before. Waits as long as another caller's `ask` takes.
    pub(crate) fn get(&self, key: K, ask: impl FnOnce() -> Result<V, Error>) -> Result<V, Error> {
        let slot = {
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            slots.entry(key).or_default().clone()
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*slot {
            return Ok(known.clone()?);
        }
        let answer = ask();
        match &answer {
            Ok(value) => *slot = Some(Ok(value.clone())),
            Err(Error::Index(problem)) => *slot = Some(Err(problem.clone())),
            Err(_) => {}
        }
        answer
    }
}

impl<K: Hash + Eq + Clone, V> Flights<K, Option<V>> {
    /// Questions that were answered with something.
    pub(crate) fn known(&self) -> Vec<K> {
        let slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = |slot: &Slot<Option<V>>| slot.try_lock().is_ok_and(|slot| matches!(*slot, Some(Ok(Some(_)))));
        let known = slots.iter().filter(|(_, slot)| is_known(slot));
        known.map(|(question, _)| question.clone()).collect()
    }
}

impl<K, V> Default for Flights<K, V> {
    fn default() -> Flights<K, V> {
        Flights(Mutex::default())
    }
}
