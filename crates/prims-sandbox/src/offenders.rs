//! Images in spite of modules whose import ends the interpreter.
//!
//! A module that raises is noted by the interpreter itself. One that never comes back, uses up the memory, exits or crashes takes the
//! interpreter with it. Then each module is tried alone, in an interpreter of its own, and an image is made of
//! those that can be imported. What was left out can still be imported by a run, within that run's limits.

use crate::error::Error;
use crate::limits::Limits;
use crate::outcome::{Exit, Skipped};
use crate::stop::StopReason;
use std::time::{Duration, Instant};

/// Time for importing one module, an interpreter's start included. Importing takes seconds; a busy machine gets more, since an
/// image that lacks a module for that reason would be kept.
pub(crate) const IMPORT_TIME: Duration = Duration::from_secs(60);
/// Work for importing one module, whatever the machine is busy with: 10 to 20 seconds of it.
const IMPORT_FUEL: u64 = 100_000_000_000;
/// Importing everything may take this many times as much.
const TOGETHER: u32 = 3;
/// Finding out which modules are good may take this many times as long.
const SEARCH: u32 = 5;
/// Memory: what a run may use by default, since that is where modules are imported otherwise.
const MEMORY: u64 = Limits::DEFAULT.memory;

/// Calls `attempt` with the modules to import and what that may use (`time` for one module), until it makes something; in the end with none but groups
/// (`@default`). Its inner error says what the guest did.
///
/// # Errors
/// Those of `attempt`; [`Error::Start`] if not even an interpreter without packages starts.
pub(crate) fn build<T>(
    preload: &[String],
    time: Duration,
    attempt: impl Fn(&[String], &Limits) -> Result<Result<T, String>, Error>,
) -> Result<(T, Vec<Skipped>), Error> {
    let limits = |wall_clock, times: u32| Limits {
        wall_clock,
        fuel: IMPORT_FUEL * u64::from(times),
        memory: MEMORY,
        ..Limits::DEFAULT
    };
    let together = limits(time * TOGETHER, TOGETHER);
    let reason = match attempt(preload, &together)? {
        Ok(built) => return Ok((built, vec![])),
        Err(reason) => reason,
    };
    let (groups, modules): (Vec<String>, Vec<String>) = preload.iter().cloned().partition(|name| name.starts_with('@'));
    if modules.is_empty() {
        return Err(Error::Start { reason });
    }
    let note = |module: &String, how: &str| Skipped {
        module: module.clone(),
        error: format!("the import {how}"),
    };
    let (mut good, mut skipped, until) = (groups.clone(), vec![], Instant::now() + time * SEARCH);
    for module in &modules {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            skipped.push(note(module, "was not tried, others took too long"));
            continue;
        }
        let names = [&groups[..], std::slice::from_ref(module)].concat();
        match attempt(&names, &limits(time.min(left), 1))? {
            Ok(_) => good.push(module.clone()),
            Err(how) => skipped.push(note(module, &how)),
        }
    }
    if good.len() > groups.len() {
        match attempt(&good, &together)? {
            Ok(built) => return Ok((built, skipped)),
            Err(how) => {
                let how = format!("works alone, but with the others it {how}");
                skipped.extend(good.iter().skip(groups.len()).map(|module| note(module, &how)));
            }
        }
    }
    match attempt(&groups, &together)? {
        Ok(built) => Ok((built, skipped)),
        Err(_) => Err(Error::Start { reason }),
    }
}

/// How an import ended the interpreter, as the end of a sentence.
pub(crate) fn describe(exit: Exit, limits: &Limits) -> String {
    match exit {
        Exit::Stopped(StopReason::WallClock) => format!("took more than {} seconds", limits.wall_clock.as_secs()),
        Exit::Stopped(StopReason::Fuel) => format!("took more than {} units of work", limits.fuel),
        Exit::Stopped(StopReason::Memory) => format!("took more than {} MiB of memory", limits.memory >> 20),
        Exit::Stopped(reason) => format!("was stopped: {}", reason.as_str()),
        Exit::Exited(status) => format!("ended the interpreter with status {status}"),
        Exit::Crashed(crash) => format!("crashed the interpreter: {}", crash.message),
        Exit::Completed(_) | Exit::Raised(_) => "ended the interpreter".into(),
    }
}
