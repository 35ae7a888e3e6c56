//! A session for each connection: files that one call wrote are there in the next, without anybody naming a session.

use crate::server::AppState;
use crate::server::connections::ConnectionId;
use crate::server::sessions::{Error, NewSession, Who};
use prims_interpreter::SessionError;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Connections whose session is remembered; the one used longest ago goes first. Sessions end by themselves.
const MOST: usize = 4096;

/// Whose connection it is, and which.
type Key = (Option<String>, ConnectionId);

#[derive(Default)]
pub(crate) struct Workspaces(Mutex<Known>);

#[derive(Default)]
struct Known {
    clock: u64,
    /// When it was last remembered, and its session if it has one by now.
    by_connection: HashMap<Key, (u64, Option<String>)>,
}

impl Workspaces {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a connection have a session.
    pub(crate) fn admit(&self, owner: Option<String>, connection: ConnectionId) {
        self.lock().remember((owner, connection), None);
    }

    /// Whether a connection may have a session: an identifier that somebody made up may not.
    pub(crate) fn admits(&self, owner: Option<String>, connection: &ConnectionId) -> bool {
        let key = (owner, connection.clone());
        *connection == ConnectionId::Stdio || self.lock().by_connection.contains_key(&key)
    }

    /// The session of a connection, made if there is none or if it has ended. May block.
    ///
    /// # Errors
    /// Why there can be none, for example because there are too many.
    pub(crate) fn of(&self, state: &AppState, who: &Who, connection: &ConnectionId) -> Result<String, Error> {
        let key = (who.owner.clone(), connection.clone());
        let sessions = &state.0.sessions;
        let before = self.known(&key);
        if let Some(known) = &before {
            match sessions.with_files(who, known, |_| Ok(())) {
                Err(Error::Unknown(_)) => {}
                there => {
                    let kept = self.lock().settle(key, &before, known);
                    return there.map(|()| kept);
                }
            }
        }
        // Of another call of this connection.
        let other = || self.known(&key).filter(|now| Some(now) != before.as_ref());
        let made = loop {
            match sessions.create(who, NewSession::default()) {
                Err(Error::Interpreter(prims_interpreter::Error::Session(SessionError::TooMany { .. })))
                    if other().is_none() && self.make_room(state, who) => {}
                Err(error) => return other().ok_or(error),
                Ok(made) => break made.id,
            }
        };
        let kept = self.lock().settle(key, &before, &made);
        if kept != made {
            // It may have ended before.
            let _ = sessions.close(who, &made);
        }
        Ok(kept)
    }

    /// Ends the session used longest ago of those that this caller's connections have; whether there was one.
    fn make_room(&self, state: &AppState, who: &Who) -> bool {
        let mut known = self.lock();
        let own = known
            .by_connection
            .iter_mut()
            .filter(|((owner, _), (_, session))| *owner == who.owner && session.is_some());
        let oldest = own
            .min_by_key(|(_, (used, _))| *used)
            .and_then(|(_, (_, session))| session.take());
        drop(known);
        // It may have ended before.
        oldest.map(|session| state.0.sessions.close(who, &session)).is_some()
    }

    /// The session of a connection, if it has one.
    pub(crate) fn known(&self, key: &Key) -> Option<String> {
        self.lock()
            .by_connection
            .get(key)
            .and_then(|(_, session)| session.clone())
    }

    /// Ends the session of a connection. May block.
    pub(crate) fn close(&self, state: &AppState, who: &Who, connection: &ConnectionId) {
        let key = (who.owner.clone(), connection.clone());
        let known = self.lock().by_connection.remove(&key);
        if let Some((_, Some(session))) = known {
            // It may have ended before.
            let _ = state.0.sessions.close(who, &session);
        }
    }
}

impl Known {
    /// Decides which session a connection has: `found`, unless another call, that found the same `before`, has decided meanwhile.
    fn settle(&mut self, key: Key, before: &Option<String>, found: &str) -> String {
        let now = self.by_connection.get(&key).and_then(|(_, session)| session.clone());
        let session = now
            .filter(|now| Some(now) != before.as_ref())
            .unwrap_or_else(|| found.to_owned());
        self.remember(key, Some(session.clone()));
        session
    }

    fn remember(&mut self, key: Key, session: Option<String>) {
        self.clock += 1;
        if self.by_connection.len() >= MOST && !self.by_connection.contains_key(&key) {
            let oldest = self.by_connection.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.by_connection.remove(&oldest);
            }
        }
        self.by_connection.insert(key, (self.clock, session));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_first_decides() {
        let mut known = Known::default();
        let key = || (None, ConnectionId::Http("one".into()));
        let text = |name: &str| Some(name.to_owned());
        known.remember(key(), None);
        assert_eq!(known.settle(key(), &None, "first"), "first");
        assert_eq!(known.settle(key(), &None, "second"), "first");
        // The first one has ended, and two calls have noticed.
        assert_eq!(known.settle(key(), &text("first"), "third"), "third");
        assert_eq!(known.settle(key(), &text("first"), "fourth"), "third");
        assert_eq!(known.settle(key(), &text("third"), "third"), "third");
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut known = Known::default();
        let key = |name: usize| (None, ConnectionId::Http(name.to_string()));
        for name in 0..MOST + 10 {
            known.remember(key(name), None);
        }
        assert_eq!(known.by_connection.len(), MOST);
        assert!(!known.by_connection.contains_key(&key(9)) && known.by_connection.contains_key(&key(10)));
    }
}
