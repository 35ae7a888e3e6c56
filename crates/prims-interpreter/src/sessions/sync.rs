//! States on their way to the disk.
//!
//! A state that has its name survives the death of the process; a thread forces it to the disk a moment later, so that calls in
//! quick succession wait for the disk once and not each. What is replaced meanwhile is never forced: the one before it, which was, stays
//! until its successor is.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// Between a call and the disk.
const DELAY: Duration = Duration::from_millis(50);

const STATE: &str = "state-";
const LOG: &str = "log-";

/// The name of a session's state.
pub(super) fn state(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{STATE}{number}"))
}

/// The name of the log of what calls changed after that state.
pub(super) fn log(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{LOG}{number}"))
}

/// The numbers of the states in a session's folder.
pub(super) fn states(folder: &Path) -> Vec<u64> {
    numbers(folder, STATE)
}

fn numbers(folder: &Path, prefix: &str) -> Vec<u64> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok();
    entries.filter_map(number).collect()
}

/// Removes logs whose state is not there any more.
pub(super) fn remove_lone_logs(folder: &Path) {
    for number in numbers(folder, LOG) {
        if !state(folder, number).exists() {
            let _ = fs::remove_file(log(folder, number));
        }
    }
}

/// Removes the states with lower numbers, and their logs.
pub(super) fn remove_states_below(folder: &Path, bound: u64) {
    for number in states(folder).into_iter().filter(|number| *number < bound) {
        remove_state(folder, number);
    }
}

/// Removes a state and its log.
pub(super) fn remove_state(folder: &Path, number: u64) {
    // A log without its state is never read, a state without its log would be an earlier one.
    let _ = fs::remove_file(state(folder, number));
    let _ = fs::remove_file(log(folder, number));
}

/// What has its name but may not have reached the disk. Names and not open files: there may be thousands.
pub(super) struct Written {
    /// Of the state.
    pub(super) number: u64,
    /// Whether the state's file has to be forced.
    pub(super) state: bool,
    /// Whether its log has.
    pub(super) log: bool,
}

impl Written {
    /// Waits until it is on the disk; then the states before it are not needed any more.
    pub(super) fn sync(self, folder: &Path) -> std::io::Result<()> {
        let force = |wanted, path: PathBuf| match wanted {
            true => File::open(path)?.sync_data(),
            false => Ok(()),
        };
        force(self.state, state(folder, self.number))?;
        force(self.log, log(folder, self.number))?;
        File::open(folder)?.sync_all()?;
        // A log says nothing of whether the state it belongs to was forced.
        if self.state {
            remove_states_below(folder, self.number);
        }
        Ok(())
    }
}

/// Forces states to the disk in a thread of its own, which ends some time after the last clone of this.
#[derive(Clone)]
pub(super) struct Syncer(Arc<Pending>);

#[derive(Default)]
struct Pending {
    /// What is to be forced of each session that has something.
    states: Mutex<HashMap<PathBuf, Written>>,
    changed: Condvar,
}

impl Pending {
    fn states(&self) -> MutexGuard<'_, HashMap<PathBuf, Written>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Syncer {
    pub(super) fn start() -> std::io::Result<Syncer> {
        let pending = Arc::new(Pending::default());
        let weak = Arc::downgrade(&pending);
        let thread = std::thread::Builder::new().name("prims-sessions".into());
        thread.spawn(move || work(&weak))?;
        Ok(Syncer(pending))
    }

    /// Forces a state, its log or both to the disk soon.
    pub(super) fn later(&self, folder: &Path, mut written: Written) {
        let mut states = self.0.states();
        let mut unneeded = None;
        match states.remove(folder) {
            Some(before) if before.number == written.number => {
                written.state |= before.state;
                written.log |= before.log;
            }
            // One that was forced stays until its successor is.
            Some(before) => unneeded = before.state.then_some(before.number),
            None => self.0.changed.notify_one(),
        }
        states.insert(folder.to_owned(), written);
        drop(states);
        if let Some(number) = unneeded {
            remove_state(folder, number);
        }
    }

    /// Forgets what was to be forced.
    pub(super) fn never(&self, folder: &Path) {
        self.0.states().remove(folder);
    }
}

fn work(pending: &Weak<Pending>) {
    while let Some(pending) = pending.upgrade() {
        let states = pending.states();
        // Not for ever: nobody says when the last session folder is dropped.
        let (states, _) = pending
            .changed
            .wait_timeout_while(states, Duration::from_secs(1), |states| states.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        let is_empty = states.is_empty();
        drop(states);
        if is_empty {
            continue;
        }
        std::thread::sleep(DELAY);
        let taken = std::mem::take(&mut *pending.states());
        for (folder, written) in taken {
            // Not on the disk, then: the states before it stay.
            let _ = written.sync(&folder);
        }
    }
}
