//! The one place where async meets what blocks: permits, threads, cancelling, panics.

use prims_interpreter::ProgressFactory;
use prims_sandbox::{Cancel, Progress, ProgressSink};
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

/// Calls that touch files, of which a disk serves only so many at a time.
const FILE_CALLS: usize = 16;

/// Why a call did not come to its work, or not to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Too many wait already, or this one waited too long.
    #[error("the server is busy: {running} runs are under way and {waiting} calls wait")]
    Busy {
        /// Guests that run.
        running: usize,
        /// Calls that wait for one of them to end.
        waiting: usize,
    },
    /// Cancelled while it waited.
    #[error("cancelled before it began")]
    Cancelled,
    /// It panicked.
    #[error("internal error, incident {0}")]
    Fault(Incident),
}

/// Names a failure of ours: the client sees this, the log says what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Incident(String);

impl Incident {
    /// Writes `what` to the log under a new name.
    pub(crate) fn log(what: &dyn std::fmt::Display) -> Incident {
        // Without entropy all incidents have one name, which is the least of the problems then.
        let incident = Incident(super::random_hex::<6>().unwrap_or_else(|_| "0".repeat(12)));
        tracing::error!(%incident, "{what}");
        incident
    }

    /// Writes `what` and the error with all its causes.
    pub(crate) fn of(what: &str, error: &dyn std::error::Error) -> Incident {
        Incident::log(&format_args!("{what}: {}", chain(error)))
    }
}

/// An error with its causes, for the log.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

impl std::fmt::Display for Incident {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A slow step of what a call waits for.
#[derive(Clone, Copy)]
pub(crate) enum Step<'a> {
    /// Of the interpreter and its image.
    Image(&'a Progress),
    /// Of the packages.
    Packages(&'a prims_packages::Event),
}

/// Decides who may run, and runs it on a thread that may block.
pub(crate) struct Bridge {
    permits: Arc<Semaphore>,
    concurrency: usize,
    files: Arc<Semaphore>,
    waiting: AtomicUsize,
    queue: usize,
    queue_wait: Duration,
    in_flight: watch::Sender<usize>,
}

impl Bridge {
    pub(crate) fn new(concurrency: usize, queue: usize, queue_wait: Duration) -> Bridge {
        Bridge {
            permits: Arc::new(Semaphore::new(concurrency)),
            concurrency,
            files: Arc::new(Semaphore::new(FILE_CALLS)),
            waiting: AtomicUsize::new(0),
            queue,
            queue_wait,
            in_flight: watch::Sender::new(0),
        }
    }

    /// Counts a call until the guard is dropped.
    pub(crate) fn enter(&self) -> InFlight {
        self.in_flight.send_modify(|count| *count += 1);
        InFlight(self.in_flight.clone())
    }

    pub(crate) fn running(&self) -> usize {
        self.concurrency - self.permits.available_permits().min(self.concurrency)
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Waits until no call is under way.
    pub(crate) async fn idle(&self) {
        // It only fails when the sender is gone, and it is ours.
        let _ = self.in_flight.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Waits for a permit to run a guest, then does `work` on a thread that may block, and says how long it waited. When `stop` fires, `cancel`
    /// is used on the guest; the call still ends with what `work` returns.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        stop: &CancellationToken,
        cancel: Cancel,
        work: impl FnOnce(Duration) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let asked = Instant::now();
        let permit = self.permit(stop).await?;
        let waited = asked.elapsed();
        blocking(stop, Some(cancel), move || {
            let done = work(waited);
            drop(permit);
            done
        })
        .await
    }

    /// Does `work`, which touches files and runs no guest, on a thread that may block.
    pub(crate) async fn files<T: Send + 'static>(
        &self,
        stop: &CancellationToken,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let permit = tokio::select! {
            permit = Arc::clone(&self.files).acquire_owned() => permit,
            () = stop.cancelled() => return Err(Error::Cancelled),
        };
        blocking(stop, None, move || {
            let done = work();
            drop(permit);
            done
        })
        .await
    }

    async fn permit(&self, stop: &CancellationToken) -> Result<OwnedSemaphorePermit, Error> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Ok(permit);
        }
        let place = Waiting::take(&self.waiting, self.queue).ok_or_else(|| self.busy())?;
        let permit = tokio::select! {
            permit = Arc::clone(&self.permits).acquire_owned() => permit.map_err(|_| self.busy()),
            () = stop.cancelled() => Err(Error::Cancelled),
            () = tokio::time::sleep(self.queue_wait) => Err(self.busy()),
        };
        drop(place);
        permit
    }

    fn busy(&self) -> Error {
        Error::Busy {
            running: self.running(),
            waiting: self.waiting(),
        }
    }
}

/// One of the calls that wait.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn take(count: &'a AtomicUsize, most: usize) -> Option<Waiting<'a>> {
        let more = |count| (count < most).then_some(count + 1);
        let taken = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.is_ok().then(|| Waiting(count))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A call that is counted as under way.
pub(crate) struct InFlight(watch::Sender<usize>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

async fn blocking<T: Send + 'static>(
    stop: &CancellationToken,
    cancel: Option<Cancel>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let mut done = tokio::task::spawn_blocking(work);
    let done = tokio::select! {
        done = &mut done => done,
        () = stop.cancelled() => {
            if let Some(cancel) = cancel {
                cancel.cancel();
            }
            done.await
        }
    };
    done.map_err(|panic| Error::Fault(Incident::log(&format_args!("a call panicked: {panic}"))))
}

type Teller = Arc<dyn Fn(Step) + Send + Sync>;

thread_local! {
    /// Who is told about slow steps on this thread: preparation is done on the thread that asks for it.
    static TELLER: RefCell<Option<Teller>> = const { RefCell::new(None) };
}

/// A sink for [`prims_sandbox::Options`] that passes progress on to the call that waits for it.
pub fn progress_sink() -> ProgressSink {
    Arc::new(|progress| {
        TELLER.with_borrow(|teller| {
            if let Some(teller) = teller {
                teller(Step::Image(&progress));
            }
        });
    })
}

/// For packages: the sink of a preparation tells whoever waits on the thread that began it.
pub fn package_progress() -> ProgressFactory {
    Arc::new(|| {
        let teller = TELLER.with_borrow(Clone::clone);
        prims_packages::Progress::new(move |event| {
            if let Some(teller) = &teller {
                teller(Step::Packages(&event));
            }
        })
    })
}

/// Does `work`; slow steps it takes on this thread are told to `teller`.
pub(crate) fn telling<T>(teller: impl Fn(Step) + Send + Sync + 'static, work: impl FnOnce() -> T) -> T {
    /// Forgets it also when the work panics: the thread is used again.
    struct Forget;
    impl Drop for Forget {
        fn drop(&mut self) {
            TELLER.set(None);
        }
    }
    TELLER.set(Some(Arc::new(teller)));
    let _forget = Forget;
    work()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn bridge(queue: usize) -> Arc<Bridge> {
        Arc::new(Bridge::new(1, queue, Duration::from_secs(30)))
    }

    #[test]
    fn an_incident_has_all_causes() {
        let disk = std::io::Error::other("the disk is gone");
        let error = super::super::workspace::Error::Io(disk);
        assert_eq!(chain(&error), "cannot use the workspace: the disk is gone");
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_says_that_it_is_full() {
        let bridge = bridge(1);
        let stop = CancellationToken::new();
        let (begin, begun) = tokio::sync::oneshot::channel();
        let (end, ended) = mpsc::channel::<()>();
        let spawn = |work: Box<dyn FnOnce(Duration) + Send>| {
            let (bridge, stop) = (Arc::clone(&bridge), stop.clone());
            tokio::spawn(async move { bridge.run(&stop, Cancel::new(), work).await })
        };
        let first = spawn(Box::new(move |_| {
            let _ = begin.send(());
            let _ = ended.recv();
        }));
        begun.await.unwrap();
        let second = spawn(Box::new(|waited| assert!(waited > Duration::ZERO)));
        while bridge.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        let third = bridge.run(&stop, Cancel::new(), |_| ()).await;
        assert!(
            matches!(third, Err(Error::Busy { running: 1, waiting: 1 })),
            "{third:?}"
        );
        end.send(()).unwrap();
        assert!(first.await.unwrap().is_ok() && second.await.unwrap().is_ok());
        assert_eq!(bridge.waiting(), 0);
    }

    #[tokio::test]
    async fn who_waits_can_be_cancelled() {
        let bridge = bridge(8);
        let _held = bridge.permits.acquire().await.unwrap();
        let stop = CancellationToken::new();
        let waiting = bridge.run(&stop, Cancel::new(), |_| ());
        stop.cancel();
        assert!(matches!(waiting.await, Err(Error::Cancelled)));
    }

    #[tokio::test]
    async fn a_panic_is_an_incident_and_gives_the_permit_back() {
        let bridge = bridge(8);
        let stop = CancellationToken::new();
        let panicked = bridge.run(&stop, Cancel::new(), |_| panic!("on purpose")).await;
        assert!(matches!(panicked, Err(Error::Fault(_))));
        assert!(bridge.run(&stop, Cancel::new(), |_| 1).await.is_ok_and(|one| one == 1));
    }

    #[tokio::test]
    async fn stopping_uses_the_cancel_handle() {
        let bridge = bridge(8);
        let (stop, cancel) = (CancellationToken::new(), Cancel::new());
        let seen = cancel.clone();
        stop.cancel();
        let done = bridge.run(&stop, cancel, move |_| {
            while !seen.is_cancelled() {
                std::thread::yield_now();
            }
        });
        assert!(done.await.is_ok());
    }

    #[test]
    fn progress_reaches_the_call_on_whose_thread_it_happens() {
        let sink = progress_sink();
        let (tell, told) = mpsc::channel();
        sink(Progress::Ready);
        telling(
            move |step| {
                if let Step::Image(progress) = step {
                    tell.send(progress.clone()).unwrap();
                }
            },
            || sink(Progress::BuildingImage),
        );
        sink(Progress::Ready);
        assert_eq!(told.iter().collect::<Vec<_>>(), [Progress::BuildingImage]);
    }
}
