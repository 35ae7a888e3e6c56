//! One thread per process that does what nobody waits for: drops finished instances, resets their memory, makes the next ones.

use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, sync_channel};

/// Bounded: when the janitor is behind, callers do the work themselves, and nothing piles up.
const QUEUE: usize = 32;

/// Restoring an image calls into the guest's module, into functions of our own that need next to nothing.
const STACK: usize = 8 << 20;

type Job = Box<dyn FnOnce() + Send>;

/// Does `job` soon, or now if the janitor is behind.
pub(crate) fn hand_over(job: impl FnOnce() + Send + 'static) {
    static JANITOR: OnceLock<Option<SyncSender<Job>>> = OnceLock::new();
    let janitor = JANITOR.get_or_init(|| {
        let (sender, receiver) = sync_channel::<Job>(QUEUE);
        let work = move || receiver.into_iter().for_each(|job| job());
        let thread = std::thread::Builder::new()
            .name("prims-janitor".into())
            .stack_size(STACK);
        thread.spawn(work).ok().map(|_| sender)
    });
    let job: Job = Box::new(job);
    match janitor {
        Some(janitor) => {
            if let Err(refused) = janitor.try_send(job) {
                let (std::sync::mpsc::TrySendError::Full(job) | std::sync::mpsc::TrySendError::Disconnected(job)) =
                    refused;
                job();
            }
        }
        None => job(),
    }
}
