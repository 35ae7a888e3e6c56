//! Waiting for work in a way that Ctrl-C ends.

use crate::errors::Error;
use prims_sandbox::Cancel;
use pyo3::prelude::*;
use std::sync::mpsc::{RecvTimeoutError, channel};
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
    let thread = std::thread::Builder::new().name("prims-run".into()).stack_size(STACK);
    let started = thread.spawn(move || {
        // Nobody waits any more if the wait was interrupted.
        let _ = sender.send(work());
    });
    started.map_err(Error::io("start a thread"))?;
    py.detach(move || {
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
