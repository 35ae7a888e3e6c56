//! How much one caller may ask for: a bucket of tokens that refills, and requests in progress.

use crate::settings::AuthSettings;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Callers that are remembered. Those that would have a full bucket are forgotten first; when there are more than this that
/// do not, new ones are refused.
const MAX_CALLERS: usize = 10_000;

/// The quotas of all callers.
#[derive(Debug)]
pub struct Quotas {
    /// Requests a second; 0 means any number.
    rate: f64,
    burst: f64,
    /// Requests in progress; 0 means any number.
    concurrency: u32,
    callers: Mutex<HashMap<String, Account>>,
}

#[derive(Clone, Copy, Debug)]
struct Account {
    tokens: f64,
    counted: Instant,
    running: u32,
}

/// A request in progress. Dropping it ends it.
#[derive(Debug)]
pub struct Ticket {
    quotas: Arc<Quotas>,
    caller: String,
}

/// The caller must wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// How long, at least.
    pub wait: Duration,
    /// Which quota it is.
    pub what: &'static str,
}

impl Quotas {
    /// Quotas as the settings say.
    pub fn new(settings: &AuthSettings) -> Arc<Quotas> {
        Arc::new(Quotas {
            rate: f64::from(settings.caller_rate),
            burst: f64::from(settings.caller_burst.max(1)),
            concurrency: settings.caller_concurrency,
            callers: Mutex::new(HashMap::new()),
        })
    }

    /// Begins a request.
    pub fn admit(self: &Arc<Self>, caller: &str) -> Result<Ticket, Exceeded> {
        let now = Instant::now();
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= MAX_CALLERS && !callers.contains_key(caller) {
            callers.retain(|_, account| account.running > 0 || self.tokens(account, now) < self.burst);
            if callers.len() >= MAX_CALLERS {
                return Err(Exceeded {
                    wait: Duration::from_secs(1),
                    what: "too many callers",
                });
            }
        }
        let account = callers.entry(caller.to_owned()).or_insert(Account {
            tokens: self.burst,
            counted: now,
            running: 0,
        });
        if self.concurrency > 0 && account.running >= self.concurrency {
            return Err(Exceeded {
                wait: Duration::from_secs(1),
                what: "too many requests in progress",
            });
        }
        account.tokens = self.tokens(account, now);
        account.counted = now;
        if self.rate > 0.0 {
            if account.tokens < 1.0 {
                return Err(Exceeded {
                    wait: Duration::from_secs_f64((1.0 - account.tokens) / self.rate),
                    what: "too many requests",
                });
            }
            account.tokens -= 1.0;
        }
        account.running += 1;
        Ok(Ticket {
            quotas: self.clone(),
            caller: caller.to_owned(),
        })
    }

    fn tokens(&self, account: &Account, now: Instant) -> f64 {
        let refilled = now.duration_since(account.counted).as_secs_f64() * self.rate;
        (account.tokens + refilled).min(self.burst)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut callers = self.quotas.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = callers.get_mut(&self.caller) {
            account.running = account.running.saturating_sub(1);
        }
    }
}
