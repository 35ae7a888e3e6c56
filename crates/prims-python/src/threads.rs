//! Threads that work with the interpreter lock released. Starting one would take longer than most runs, so they stay.

use crate::errors::Error;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Work that can wait its turn is done by so many threads.
const MOST: usize = 32;

/// Room for a guest's deepest recursion, and for the host below it.
const STACK: usize = 8 << 20;

/// When work is begun.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    /// Whatever else is being done.
    AtOnce,
    /// When there is a thread for it.
    InTurn,
}

/// Work, and then what tells that it is done.
type Task = Box<dyn FnOnce() -> Box<dyn FnOnce() + Send> + Send>;

/// A fork has none of these threads, and never gets here: its engines refuse.
static THREADS: Mutex<Threads> = Mutex::new(Threads {
    queue: VecDeque::new(),
    waiting: 0,
    all: 0,
});
static CHANGED: Condvar = Condvar::new();

struct Threads {
    queue: VecDeque<Task>,
    /// Threads that wait for the queue.
    waiting: usize,
    all: usize,
}

fn threads() -> MutexGuard<'static, Threads> {
    THREADS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does `work` in another thread, which then calls `tell`.
pub(crate) fn hand_over<R: Send + 'static>(
    begin: Begin,
    work: impl FnOnce() -> Result<R, Error> + Send + 'static,
    tell: impl FnOnce(Result<R, Error>) + Send + 'static,
) -> Result<(), Error> {
    let task: Task = Box::new(move || {
        let done = catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Error::Died));
        Box::new(move || tell(done))
    });
    let mut threads = threads();
    let is_free = threads.waiting > threads.queue.len();
    if is_free || (begin == Begin::InTurn && threads.all >= MOST) {
        match begin {
            Begin::AtOnce => threads.queue.push_front(task),
            Begin::InTurn => threads.queue.push_back(task),
        }
        drop(threads);
        CHANGED.notify_one();
        return Ok(());
    }
    let thread = std::thread::Builder::new().name("prims-run".into()).stack_size(STACK);
    thread
        .spawn(move || work_on(task))
        .map_err(Error::io("start a thread"))?;
    threads.all += 1;
    Ok(())
}

fn work_on(mut task: Task) {
    loop {
        let tell = task();
        let mut threads = threads();
        if threads.queue.is_empty() && threads.all > MOST {
            threads.all -= 1;
            drop(threads);
            return tell();
        }
        // Whoever is told may have more work at once, so this thread counts as free before.
        threads.waiting += 1;
        drop(threads);
        tell();
        task = next();
    }
}

fn next() -> Task {
    let mut threads = threads();
    loop {
        if let Some(task) = threads.queue.pop_front() {
            threads.waiting -= 1;
            return task;
        }
        threads = CHANGED.wait(threads).unwrap_or_else(PoisonError::into_inner);
    }
}
