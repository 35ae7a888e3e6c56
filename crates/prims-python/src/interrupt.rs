//! Waiting for work in a way that Ctrl-C ends.

use crate::errors::Error;
use prims_sandbox::Cancel;
use pyo3::prelude::*;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How often a waiting main thread lets signal handlers run.
const LOOK: Duration = Duration::from_millis(50);

/// How long work that was told to stop is waited for; what cannot be stopped (compiling, fetching) goes on alone.
const PATIENCE: Duration = Duration::from_millis(500);

/// Room for a guest's deepest recursion, and for the host below it.
const STACK: usize = 8 << 20;

/// Does `work` with the interpreter lock released. Handlers of signals run in the main thread only, and only when it is not busy: if this is that thread, the work is
/// done on another one, and an exception of a handler, such as `KeyboardInterrupt`, stops it.
pub(crate) fn run<R: Send + 'static>(
    py: Python<'_>,
    is_main_thread: bool,
    cancel: &Cancel,
    work: impl FnOnce() -> Result<R, Error> + Send + 'static,
) -> Result<R, Error> {
    if !is_main_thread {
        return py.detach(work);
    }
    let (sender, receiver) = channel();
    let task: Task = Box::new(move || {
        let done = work();
        Box::new(move || {
            // Nobody waits any more if the wait was interrupted.
            let _ = sender.send(done);
        })
    });
    py.detach(move || {
        hand_over(task).map_err(Error::io("start a thread"))?;
        loop {
            match receiver.recv_timeout(LOOK) {
                Ok(done) => return done,
                Err(RecvTimeoutError::Disconnected) => return Err(Error::Died),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Err(raised) = Python::attach(|py| py.check_signals()) {
                cancel.cancel();
                let _ = receiver.recv_timeout(PATIENCE);
                return Err(Error::Python(raised));
            }
        }
    })
}

/// Work, and then what tells that it is done.
type Task = Box<dyn FnOnce() -> Box<dyn FnOnce() + Send> + Send>;

/// The way to a thread that waits for work: starting one would take longer than most runs. A fork never gets here, its engines refuse.
static WAITING: Mutex<Option<Sender<Task>>> = Mutex::new(None);

/// Lets the thread that waits do it, or a new one.
fn hand_over(task: Task) -> std::io::Result<()> {
    let waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner).take();
    let unsent = match waiting {
        Some(thread) => thread.send(task).err().map(|unsent| unsent.0),
        None => Some(task),
    };
    let Some(task) = unsent else { return Ok(()) };
    let thread = std::thread::Builder::new().name("prims-run".into()).stack_size(STACK);
    thread.spawn(move || work_on(task)).map(drop)
}

/// Works, and waits for more until another thread takes its place. What panics ends its thread.
fn work_on(mut task: Task) {
    loop {
        let tell = task();
        let (sender, receiver) = channel();
        // Another one that waits is not needed any more: its way is gone, so it ends.
        *WAITING.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        // Whoever is told may have more work at once, so that comes after.
        tell();
        match receiver.recv() {
            Ok(next) => task = next,
            Err(_) => return,
        }
    }
}
