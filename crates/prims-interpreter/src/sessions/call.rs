//! One run of a session.

use super::{Session, SessionError, Sessions};
use crate::{Error, Prepared, Wanted};
use prims_sandbox::{Discarded, Invocation, Kept, Outcome, State};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Headers, numbers of pages and linkage in a state's file, beside the pages.
const FILE_OVERHEAD: u64 = 64 << 20;

/// A run of a session.
#[derive(Clone)]
pub struct Call {
    /// Requirements of this run; empty: the session's. A stateful session keeps those of its first run until it is reset.
    pub requirements: Vec<String>,
    /// The code and its limits. Its workspace is the session's. In a stateful session, code without a name is called `<call N>`.
    pub invocation: Invocation,
    /// How long to wait for another run of the session; `None`: as the settings say.
    pub patience: Option<Duration>,
}

/// What a run of a session did.
#[derive(Debug)]
pub struct CallReport {
    /// What the code did.
    pub outcome: Outcome,
    /// The packages it could import, by name and version.
    pub packages: Vec<(String, String)>,
    /// What is to be said about the packages, by the run for which they were chosen.
    pub notes: Vec<String>,
    /// What became of the session's memory.
    pub memory: Memory,
    /// The session's earlier memory could not be used, for this reason: the run found none of its names. Its files were there.
    pub started_over: Option<String>,
    /// Until the environment, its image and the session's state were ready.
    pub prepare: Duration,
    /// From the end of the code until what it left was kept.
    pub commit: Duration,
    /// Of `commit`: finding and copying what changed in memory; the rest is writing it.
    pub keep: Duration,
}

/// What became of the memory of a session after a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Memory {
    /// The session has none: only files are kept.
    NotKept,
    /// The next run goes on from here.
    Kept {
        /// Bytes beyond the image.
        bytes: u64,
    },
    /// The session stands where it stood before the run.
    RolledBack(Discarded),
    /// The same, because what the run left could not be written.
    NotSaved(String),
}

impl Sessions {
    /// Runs code in a session. Runs of one session come one after the other.
    ///
    /// # Errors
    /// [`SessionError::Unknown`], [`SessionError::Busy`], [`SessionError::Environment`], and those of [`crate::Interpreter::run`].
    /// However the run ends, an error of the host included, the session is left usable.
    pub fn run(&self, handle: &str, owner: Option<&str>, call: &Call) -> Result<CallReport, Error> {
        let session = self.find(handle, owner)?;
        let _turn = self.enter(&session, call.patience.unwrap_or(self.0.settings.patience))?;
        self.touch(&session);
        let report = if session.stateful {
            self.run_stateful(&session, call)
        } else {
            self.run_stateless(&session, call)
        };
        self.touch(&session);
        report
    }

    fn invocation(&self, session: &Session, call: &Call) -> Invocation {
        Invocation {
            workspace: Some(session.folder.workspace()),
            workspace_quota: Some(session.quota.clone()),
            ..call.invocation.clone()
        }
    }

    fn run_stateless(&self, session: &Session, call: &Call) -> Result<CallReport, Error> {
        let began = Instant::now();
        let own = session.kept().metadata.requirements.clone();
        let requirements = if call.requirements.is_empty() {
            &own
        } else {
            &call.requirements
        };
        let prepared = self.prepare(session, call, requirements)?;
        let prepare = began.elapsed();
        let outcome = prepared.image.run(&self.invocation(session, call))?;
        Ok(CallReport {
            outcome,
            packages: prepared.packages,
            notes: prepared.notes,
            memory: Memory::NotKept,
            started_over: None,
            prepare,
            commit: Duration::ZERO,
            keep: Duration::ZERO,
        })
    }

    /// The environment for these requirements and for what the code itself asks for.
    fn prepare(&self, session: &Session, call: &Call, requirements: &[String]) -> Result<Prepared, Error> {
        self.0.interpreter.prepare_for(&Wanted {
            requirements,
            lock: None,
            code: &call.invocation.code,
            workspace: Some(&session.folder.workspace()),
        })
    }

    fn run_stateful(&self, session: &Session, call: &Call) -> Result<CallReport, Error> {
        let began = Instant::now();
        let Start {
            prepared,
            requirements,
            state,
            started_over,
        } = self.start(session, call)?;
        let prepare = began.elapsed();
        let notes = if state.is_none() {
            prepared.notes.clone()
        } else {
            vec![]
        };
        let number = session.kept().calls + 1;
        let mut invocation = self.invocation(session, call);
        if invocation.filename == "<code>" {
            // A name of its own, or tracebacks would show this call's source for a function of another.
            invocation.filename = format!("<call {number}>");
        }
        let limit = self.0.settings.state_bytes;
        let run = prepared.image.run_stateful(state.as_ref(), &invocation, limit)?;
        let keeping = Instant::now();
        let memory = match run.kept {
            Kept::Nothing(discarded) => Memory::RolledBack(discarded),
            Kept::State(after) => match self.commit(session, &prepared, requirements, (state, after), number) {
                Ok(bytes) => Memory::Kept { bytes },
                Err(error) => Memory::NotSaved(error.to_string()),
            },
        };
        Ok(CallReport {
            outcome: run.outcome,
            packages: prepared.packages,
            notes,
            memory,
            started_over,
            prepare,
            commit: run.keeping + keeping.elapsed(),
            keep: run.keeping,
        })
    }

    /// Makes what a run left the session's: on the disk first, then in memory.
    fn commit(
        &self,
        session: &Session,
        prepared: &Prepared,
        requirements: Vec<String>,
        (before, state): (Option<State>, State),
        number: u64,
    ) -> Result<u64, Error> {
        let (mut metadata, tail) = {
            let mut kept = session.kept();
            // Whatever goes wrong from here on, nothing is appended to what it leaves.
            (kept.metadata.clone(), kept.tail.take())
        };
        let is_noted = metadata
            .image
            .as_ref()
            .is_some_and(|note| note.identity == prepared.image.identity());
        let mut _pin = None;
        if !is_noted {
            let (note, pin) = self.0.images.note(prepared, requirements)?;
            (metadata.image, _pin) = (Some(note), Some(pin));
        }
        let before = before.as_ref().zip(tail.as_ref());
        let tail = session.folder.commit(&prepared.image, before, &state, number)?;
        if !is_noted && !session.closed.load(Ordering::Acquire) {
            // A state without this note starts over, which is where a session stands that was never answered.
            session.folder.describe(&metadata)?;
        }
        let bytes = state.bytes();
        let before = {
            let mut kept = session.kept();
            kept.metadata = metadata;
            kept.calls = number;
            kept.tail = Some(tail);
            kept.has_state = true;
            let before = kept.resident.as_ref().map_or(0, |_| kept.state_bytes);
            kept.state_bytes = bytes;
            kept.resident = Some((state, self.0.clock.fetch_add(1, Ordering::Relaxed)));
            before
        };
        self.make_room(bytes.saturating_sub(before));
        Ok(bytes)
    }

    /// Drops from memory the states used longest ago, which their files hold too, until the rest is within the bound. `added` is
    /// how much came in.
    fn make_room(&self, added: u64) {
        // Counts what came in since somebody looked, and not what went: whoever finds it above the bound looks.
        let most = &self.0.resident;
        let counted = most.fetch_add(added, Ordering::Relaxed) + added;
        if counted <= self.0.settings.resident_bytes {
            return;
        }
        let sessions: Vec<_> = self.table().values().cloned().collect();
        let mut resident: Vec<_> = sessions
            .iter()
            .filter_map(|session| {
                let kept = session.kept();
                let (_, used) = kept.resident.as_ref()?;
                Some((*used, kept.state_bytes, session))
            })
            .collect();
        let mut bytes: u64 = resident.iter().map(|(_, bytes, _)| bytes).sum();
        resident.sort_by_key(|(used, ..)| *used);
        for (_, freed, session) in resident {
            if bytes <= self.0.settings.resident_bytes {
                break;
            }
            session.kept().resident = None;
            bytes -= freed;
        }
        // What comes in meanwhile is counted, not seen.
        let _ = most.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
            Some(now.saturating_sub(counted.saturating_sub(bytes)))
        });
    }

    /// Finds what a run of a stateful session starts from.
    fn start(&self, session: &Session, call: &Call) -> Result<Start, Error> {
        let kept = session.kept().clone();
        let (asked, has) = (&call.requirements, kept.metadata.effective().to_vec());
        let anew = |requirements: Vec<String>, reason: Option<&str>| {
            Ok(Start {
                prepared: self.prepare(session, call, &requirements)?,
                requirements,
                state: None,
                started_over: reason.map(str::to_owned),
            })
        };
        let Some(note) = kept.metadata.image.as_ref().filter(|_| kept.has_state) else {
            return anew(if asked.is_empty() { has } else { asked.clone() }, None);
        };
        if !asked.is_empty() && !same(asked, &has) {
            let text = |requirements: &[String]| match requirements {
                [] => "no packages".to_owned(),
                some => format!("`{}`", some.join("`, `")),
            };
            return Err(SessionError::Environment {
                has: text(&has),
                asked: text(asked),
            }
            .into());
        }
        let Some(prepared) = self.0.images.find(&self.0.interpreter, note)? else {
            return anew(has, Some("its memory was made by another version of the program"));
        };
        if let Some((state, _)) = kept.resident {
            return Ok(Start {
                prepared,
                requirements: has,
                state: Some(state),
                started_over: None,
            });
        }
        // What is read may not be all there was, so nothing is appended to it.
        session.kept().tail = None;
        // The last one that is whole; only a machine that lost power leaves one that is not.
        let (mut reason, limit) = (None, self.0.settings.state_bytes.saturating_add(FILE_OVERHEAD));
        for number in session.folder.states() {
            let (state, log) = (session.folder.state(number), session.folder.log(number));
            match prepared.image.read_state_with_log(&state, &log, limit) {
                Ok((state, problem)) => {
                    let reason = reason.or(problem.map(|problem| problem.to_string()));
                    return Ok(Start {
                        prepared,
                        requirements: has,
                        state: Some(state),
                        started_over: reason.map(|reason| format!("{reason}; an earlier one was found")),
                    });
                }
                Err(error) => {
                    reason.get_or_insert(error.to_string());
                }
            }
        }
        let reason = reason.unwrap_or_else(|| "its memory was not found".into());
        Ok(Start {
            prepared,
            requirements: has,
            state: None,
            started_over: Some(reason),
        })
    }
}

/// What a run of a stateful session starts from.
struct Start {
    prepared: Prepared,
    /// What it was asked for with.
    requirements: Vec<String>,
    state: Option<State>,
    started_over: Option<String>,
}

/// Whether two lists ask for the same in another order.
fn same(asked: &[String], has: &[String]) -> bool {
    let sorted = |list: &[String]| {
        let mut list = list.to_vec();
        list.sort();
        list.dedup();
        list
    };
    sorted(asked) == sorted(has)
}
