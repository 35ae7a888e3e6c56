//! How much one caller may ask for: a bucket of tokens that refills, and requests in progress.

use crate::settings::AuthSettings;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Callers that are remembered. Those that would have a full bucket are forgotten first; when there are more than this that
/// do not, new ones are refused.
const MAX_CALLERS: usize = 10_000;

/// Looking through all of them is done no more often than this.
const SWEEP: Duration = Duration::from_secs(1);

/// The quotas of all callers.
#[derive(Debug)]
pub struct Quotas {
    /// Requests a second; 0 means any number.
    rate: f64,
    burst: f64,
    /// Requests in progress; 0 means any number.
    concurrency: u32,
    callers: Mutex<Callers>,
}

#[derive(Debug)]
struct Callers {
    accounts: HashMap<String, Account>,
    /// When those that need not be remembered were last looked for.
    swept: Option<Instant>,
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
            callers: Mutex::new(Callers {
                accounts: HashMap::new(),
                swept: None,
            }),
        })
    }

    /// Begins a request.
    pub fn admit(self: &Arc<Self>, caller: &str) -> Result<Ticket, Exceeded> {
        self.admit_at(caller, Instant::now())
    }

    fn admit_at(self: &Arc<Self>, caller: &str, now: Instant) -> Result<Ticket, Exceeded> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.accounts.len() >= MAX_CALLERS && !callers.accounts.contains_key(caller) {
            self.forget(&mut callers, now);
            if callers.accounts.len() >= MAX_CALLERS {
                return Err(Exceeded {
                    wait: SWEEP,
                    what: "too many callers",
                });
            }
        }
        let account = callers.accounts.entry(caller.to_owned()).or_insert(Account {
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

    /// Forgets callers about whom there is nothing to know, if that was not tried just now.
    fn forget(&self, callers: &mut Callers, now: Instant) {
        if callers.swept.is_none_or(|swept| now.duration_since(swept) >= SWEEP) {
            callers.swept = Some(now);
            let known = |account: &Account| account.running > 0 || self.tokens(account, now) < self.burst;
            callers.accounts.retain(|_, account| known(account));
        }
    }

    fn tokens(&self, account: &Account, now: Instant) -> f64 {
        let refilled = now.duration_since(account.counted).as_secs_f64() * self.rate;
        (account.tokens + refilled).min(self.burst)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut callers = self.quotas.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = callers.accounts.get_mut(&self.caller) {
            account.running = account.running.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn quotas(flags: &[(&'static str, &str)]) -> Arc<Quotas> {
        Quotas::new(&Settings::of(flags).auth)
    }

    #[test]
    fn quotas_of_each_caller() {
        let limited = quotas(&[("caller-rate", "1"), ("caller-burst", "3"), ("caller-concurrency", "2")]);
        let now = Instant::now();
        let admit = |caller| limited.admit_at(caller, now);
        let first = admit("a").unwrap();
        let second = admit("a").unwrap();
        assert_eq!(admit("a").unwrap_err().what, "too many requests in progress");
        drop(first);
        let third = admit("a").unwrap();
        drop((second, third));
        let exceeded = admit("a").unwrap_err();
        assert_eq!(exceeded.what, "too many requests");
        assert_eq!(exceeded.wait, Duration::from_secs(1));
        // Others are not affected.
        assert!(admit("b").is_ok());
        assert!(limited.admit_at("a", now + Duration::from_secs(1)).is_ok());
        let unlimited = quotas(&[("caller-rate", "0"), ("caller-concurrency", "0")]);
        let tickets: Vec<_> = (0..10_000).map(|_| unlimited.admit("a").unwrap()).collect();
        assert_eq!(tickets.len(), 10_000);
    }

    #[test]
    fn callers_that_are_remembered_are_bounded() {
        let quotas = quotas(&[("caller-rate", "1000"), ("caller-burst", "1")]);
        let now = Instant::now();
        let name = |number: usize| format!("caller {number}");
        let tickets: Vec<_> = (0..MAX_CALLERS)
            .map(|number| quotas.admit_at(&name(number), now).unwrap())
            .collect();
        assert_eq!(quotas.admit_at("one more", now).unwrap_err().what, "too many callers");
        assert_eq!(quotas.callers.lock().unwrap().accounts.len(), MAX_CALLERS);
        // When they are done and have waited long enough to have a full bucket, others may come.
        drop(tickets);
        assert!(quotas.admit_at("one more", now + SWEEP).is_ok());
        assert_eq!(quotas.callers.lock().unwrap().accounts.len(), 1);
    }
}
