//! One at a time, with a bounded wait.

use super::SessionError;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

#[derive(Default)]
pub(super) struct Gate {
    taken: Mutex<bool>,
    left: Condvar,
}

/// Held by who is inside.
pub(super) struct Turn<'a>(&'a Gate);

impl Gate {
    /// Waits until nobody is inside, at most for `patience`.
    pub(super) fn enter(&self, patience: Duration) -> Result<Turn<'_>, SessionError> {
        let began = Instant::now();
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.left.wait_timeout_while(taken, patience, |taken| *taken);
        let (mut taken, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if *taken {
            return Err(SessionError::Busy {
                waited: began.elapsed(),
            });
        }
        *taken = true;
        Ok(Turn(self))
    }

    /// Whether somebody is inside.
    pub(super) fn is_taken(&self) -> bool {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.0.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_too_long_is_told_and_who_waits_gets_in() {
        let gate = Gate::default();
        let turn = gate.enter(Duration::ZERO).unwrap();
        let busy = gate.enter(Duration::from_millis(20));
        assert!(matches!(busy, Err(SessionError::Busy { waited }) if waited >= Duration::from_millis(20)));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| gate.enter(Duration::from_secs(60)).is_ok());
            drop(turn);
            assert!(waiting.join().unwrap());
        });
    }
}
