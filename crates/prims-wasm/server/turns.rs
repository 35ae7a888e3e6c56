//! Calls of one session, one after the other: those who wait hold neither a permit nor a thread.

use super::bridge;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Sessions with a call under way, by handle.
pub(crate) struct Turns {
    wait: Duration,
    queue: usize,
    by_session: Mutex<HashMap<String, Queue>>,
}

struct Queue {
    turn: Arc<Semaphore>,
    /// Calls that have the turn or wait for it.
    calls: usize,
}

impl Turns {
    /// At most `queue` calls of a session wait, each for at most `wait`.
    pub(crate) fn new(queue: usize, wait: Duration) -> Turns {
        Turns {
            wait,
            queue,
            by_session: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Queue>> {
        self.by_session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no other call uses the session.
    pub(crate) async fn take(&self, session: &str, stop: &CancellationToken) -> Result<Turn<'_>, bridge::Error> {
        let (semaphore, place) = self.stand_in_line(session)?;
        let busy = || self.busy(session);
        let permit = tokio::select! {
            permit = semaphore.acquire_owned() => permit.map_err(|_| busy())?,
            () = stop.cancelled() => return Err(bridge::Error::Cancelled),
            () = tokio::time::sleep(self.wait) => return Err(busy()),
        };
        Ok(Turn {
            _permit: permit,
            _place: place,
        })
    }

    fn stand_in_line(&self, session: &str) -> Result<(Arc<Semaphore>, Place<'_>), bridge::Error> {
        let mut sessions = self.lock();
        let queue = sessions.entry(session.to_owned()).or_insert_with(|| Queue {
            turn: Arc::new(Semaphore::new(1)),
            calls: 0,
        });
        if queue.calls > self.queue {
            let waiting = queue.calls - 1;
            return Err(bridge::Error::Busy { running: 1, waiting });
        }
        queue.calls += 1;
        let place = Place {
            turns: self,
            session: session.to_owned(),
        };
        Ok((Arc::clone(&queue.turn), place))
    }

    fn busy(&self, session: &str) -> bridge::Error {
        let calls = self.lock().get(session).map_or(1, |queue| queue.calls);
        bridge::Error::Busy {
            running: 1,
            waiting: calls.saturating_sub(1),
        }
    }
}

/// The right to use a session.
pub(crate) struct Turn<'a> {
    _permit: OwnedSemaphorePermit,
    _place: Place<'a>,
}

/// A place in the line for a session.
struct Place<'a> {
    turns: &'a Turns,
    session: String,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut sessions = self.turns.lock();
        if let Some(queue) = sessions.get_mut(&self.session) {
            queue.calls -= 1;
            if queue.calls == 0 {
                sessions.remove(&self.session);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_at_a_time_and_only_so_many_wait() {
        let turns = Turns::new(1, Duration::from_millis(10));
        let stop = CancellationToken::new();
        let first = turns.take("a", &stop).await.unwrap();
        assert!(turns.take("b", &stop).await.is_ok());
        let (second, third) = tokio::join!(turns.take("a", &stop), turns.take("a", &stop));
        assert!(matches!(second, Err(bridge::Error::Busy { .. })), "waited too long");
        assert!(matches!(third, Err(bridge::Error::Busy { running: 1, waiting: 1 })));
        drop(first);
        assert!(turns.take("a", &stop).await.is_ok());
        assert!(turns.lock().is_empty());
    }
}
