//! Waiting for work in a way that Ctrl-C ends.

use crate::errors::Error;
use crate::threads::{Begin, hand_over};
use prims_sandbox::Cancel;
use pyo3::prelude::*;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::time::{Duration, Instant};

/// How often a waiting main thread lets signal handlers run.
const LOOK: Duration = Duration::from_millis(50);

/// How long a main thread looks for the end before it sleeps. Most runs are shorter, and on an idle machine waking a thread up takes as long as they do.
const SOON: Duration = Duration::from_micros(400);

/// If another thread takes longer turns than this on a busy machine, a thread that looks comes late: then it sleeps at once in so many runs.
const TURN: Duration = Duration::from_micros(100);
const RESTRAINED: u32 = 100;

/// How long work that was told to stop is waited for; what cannot be stopped (compiling, fetching) goes on alone.
const PATIENCE: Duration = Duration::from_millis(500);

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
    py.detach(move || {
        // Nobody waits any more if the wait was interrupted.
        let tell = move |done| drop(sender.send(done));
        hand_over(Begin::AtOnce, work, tell)?;
        if let Some(done) = soon(&receiver) {
            return done;
        }
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

/// What comes before the main thread would have been put to sleep and woken up.
fn soon<R>(receiver: &Receiver<Result<R, Error>>) -> Option<Result<R, Error>> {
    /// Runs that are not looked for, because others want the processors.
    static RESTRAINT: AtomicU32 = AtomicU32::new(0);
    let restrained = RESTRAINT.load(Ordering::Relaxed);
    if restrained > 0 {
        RESTRAINT.store(restrained - 1, Ordering::Relaxed);
        return None;
    }
    let mut looked = Instant::now();
    let until = looked + SOON;
    loop {
        match receiver.try_recv() {
            Ok(done) => return Some(done),
            Err(TryRecvError::Disconnected) => return Some(Err(Error::Died)),
            Err(TryRecvError::Empty) => {}
        }
        let now = Instant::now();
        if now - looked > TURN {
            RESTRAINT.store(RESTRAINED, Ordering::Relaxed);
            return None;
        }
        if now >= until {
            return None;
        }
        looked = now;
        std::thread::yield_now();
    }
}
