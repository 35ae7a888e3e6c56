//! What one resolution or one installation may cost, all requests together.

use crate::problem::IndexProblem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What one resolution or installation may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetLimits {
    /// Time from the beginning of the session to its last request: pauses, choosing versions and unpacking included.
    pub time: Duration,
    /// Bytes of all answers together, as they come over the network.
    pub bytes: u64,
    /// Requests, repeated ones included.
    pub requests: u64,
}

impl Default for BudgetLimits {
    fn default() -> BudgetLimits {
        BudgetLimits {
            time: Duration::from_secs(60),
            bytes: 2 << 30,
            requests: 2000,
        }
    }
}

/// Counts what is spent.
#[derive(Debug)]
pub(crate) struct Budget {
    limits: BudgetLimits,
    began: Instant,
    bytes: AtomicU64,
    requests: AtomicU64,
}

impl Budget {
    /// The time begins to run now.
    pub(crate) fn new(limits: BudgetLimits) -> Budget {
        Budget {
            limits,
            began: Instant::now(),
            bytes: AtomicU64::new(0),
            requests: AtomicU64::new(0),
        }
    }

    /// The time that is left; never zero.
    pub(crate) fn remaining(&self) -> Result<Duration, IndexProblem> {
        match self.limits.time.checked_sub(self.began.elapsed()) {
            Some(left) if !left.is_zero() => Ok(left),
            _ => Err(IndexProblem::Budget {
                limit: self.limits.time.as_secs(),
                unit: "seconds",
            }),
        }
    }

    /// Counts a request; gives the time that is left for it.
    pub(crate) fn request(&self) -> Result<Duration, IndexProblem> {
        spend(&self.requests, 1, self.limits.requests, "requests")?;
        self.remaining()
    }

    /// Counts bytes that came.
    pub(crate) fn receive(&self, bytes: u64) -> Result<(), IndexProblem> {
        spend(&self.bytes, bytes, self.limits.bytes, "bytes")?;
        self.remaining().map(|_| ())
    }
}

fn spend(spent: &AtomicU64, amount: u64, limit: u64, unit: &'static str) -> Result<(), IndexProblem> {
    let before = spent.fetch_add(amount, Ordering::Relaxed);
    if before.saturating_add(amount) > limit {
        return Err(IndexProblem::Budget { limit, unit });
    }
    Ok(())
}
