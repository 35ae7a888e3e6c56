//! Stopping a run from outside: the deadline, the cancel flag, and waits that notice both.
//!
//! A run has exactly one [`Watch`]. The metering call-out asks it after every slice of work, and everything in the host
//! that could wait on behalf of the guest (sleeping, polling) waits on it, so no wait outlives the deadline or a cancel.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

/// Why the host ended a run that had not ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StopReason {
    /// The wall-clock limit passed.
    WallClock,
    /// The instruction budget was used up.
    Fuel,
    /// Linear memory could not grow and the guest did not survive it.
    Memory,
    /// More was written than the output limit allows and the policy is to stop.
    Output,
    /// Somebody called [`Cancel::cancel`].
    Cancelled,
}

impl StopReason {
    /// A stable word for reports: `wall_clock`, `fuel`, `memory`, `output`, `cancelled`.
    pub fn as_str(self) -> &'static str {
        match self {
            StopReason::WallClock => "wall_clock",
            StopReason::Fuel => "fuel",
            StopReason::Memory => "memory",
            StopReason::Output => "output",
            StopReason::Cancelled => "cancelled",
        }
    }
}

/// A handle that stops a run from another thread. Clones stop the same run.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<CancelState>);

#[derive(Debug, Default)]
struct CancelState {
    cancelled: Mutex<bool>,
    changed: Condvar,
}

impl Cancel {
    /// A handle that nobody has used yet.
    pub fn new() -> Cancel {
        Cancel::default()
    }

    /// Stops the run at its next metering point or out of whatever it waits for. Calling it twice changes nothing.
    pub fn cancel(&self) {
        *self.0.lock() = true;
        self.0.changed.notify_all();
    }

    /// Whether [`Cancel::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        *self.0.lock()
    }
}

impl CancelState {
    fn lock(&self) -> std::sync::MutexGuard<'_, bool> {
        // A panic while holding this lock is impossible (nothing runs under it), so poison carries no information.
        self.cancelled.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The error a host function returns to end a run; the runner downcasts it back to the reason.
#[derive(Debug, thiserror::Error)]
#[error("run stopped: {}", .0.as_str())]
pub(crate) struct Stopped(pub(crate) StopReason);

/// What a run is watched by: its deadline and its cancel handle.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    /// `None` where nothing runs: before a run begins, and while the host itself measures a folder.
    pub(crate) deadline: Option<Instant>,
    pub(crate) cancel: Cancel,
}

impl Watch {
    /// The reason to stop now, if there is one.
    pub(crate) fn check(&self) -> Result<(), Stopped> {
        if self.cancel.is_cancelled() {
            return Err(Stopped(StopReason::Cancelled));
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Stopped(StopReason::WallClock)),
            _ => Ok(()),
        }
    }

    /// Waits until `until` (for ever if `None`), or returns the reason to stop as soon as there is one.
    pub(crate) fn sleep_until(&self, until: Option<Instant>) -> Result<(), Stopped> {
        let mut cancelled = self.cancel.0.lock();
        loop {
            if *cancelled {
                return Err(Stopped(StopReason::Cancelled));
            }
            let now = Instant::now();
            if self.deadline.is_some_and(|deadline| now >= deadline) {
                return Err(Stopped(StopReason::WallClock));
            }
            if until.is_some_and(|until| now >= until) {
                return Ok(());
            }
            let next = match (until, self.deadline) {
                (Some(until), Some(deadline)) => Some(until.min(deadline)),
                (one, other) => one.or(other),
            };
            cancelled = match next {
                Some(next) => {
                    let wait = self.cancel.0.changed.wait_timeout(cancelled, next - now);
                    wait.unwrap_or_else(std::sync::PoisonError::into_inner).0
                }
                None => self
                    .cancel
                    .0
                    .changed
                    .wait(cancelled)
                    .unwrap_or_else(std::sync::PoisonError::into_inner),
            };
        }
    }
}
