//! Runs that go on where another one ended, and what has to outlive the cache for that.

use super::{Environment, Image, Ready, Sandbox};
use crate::change::{self, LogEnd, Replay};
use crate::error::Error;
use crate::image::IMAGE;
use crate::link::{self, ImageLinkage};
use crate::memory;
use crate::outcome::{Invocation, Outcome};
use crate::pages::Pages;
use crate::stack;
use crate::state::{self, Discarded, ImageId, Inner, Kept, Linked, State, StateProblem};
use prims_cache::{Cache, Key};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

const WASM_PAGE: usize = 64 << 10;

/// How long the guest may take to ready its memory for being kept; wiping all it can have takes a second.
const TIDYING: Duration = Duration::from_secs(10);

/// Bytes of garbage that calls may leave in pages before the next one wipes free memory: looking for it takes longer than a short call.
const GARBAGE: u64 = 512 << 10;

/// Instances that wait for their session's next call, over all images.
const WAITING: usize = 4;

/// An instance that has written more than this is not kept waiting.
const WAITING_BYTES: usize = 32 << 20;

/// The pages of a memory and how many bytes were written in it, or how many bytes of pages are too many.
type Captured = Result<(Pages, usize), u64>;

/// A run that is a call of a session.
pub(super) struct Call<'a> {
    /// `None`: the session begins.
    pub(super) from: Option<&'a State>,
    /// Bytes of pages that may be kept.
    pub(super) limit: u64,
}

/// What the end of a run means for its memory.
#[derive(Clone, Copy)]
pub(super) enum Ending {
    /// The interpreter came back and reported.
    Whole,
    /// It reported, but had to drop the program's data for that.
    Lost,
    /// It was left in the middle of something.
    CutOff,
}

/// A run of a session.
#[derive(Clone, Debug)]
pub struct StatefulRun {
    /// What it did.
    pub outcome: Outcome,
    /// Where the session stands afterwards.
    pub kept: Kept,
    /// How long it took to find and copy the pages that changed; not part of the outcome's times.
    pub keeping: Duration,
}

impl Image {
    /// Runs code in an instance that starts from `from`, or from the image, and gives the state after it. Names, imports,
    /// functions and whatever else is in memory survive; descriptors and `/tmp` do not. `from` itself is never changed.
    ///
    /// A run that completes, raises or calls `sys.exit` leaves a state, if that differs from the image in at most `max_bytes`.
    ///
    /// # Errors
    /// As [`Image::run`]; [`StateProblem::Foreign`] if `from` belongs to another image.
    pub fn run_stateful(
        &self,
        from: Option<&State>,
        invocation: &Invocation,
        max_bytes: u64,
    ) -> Result<StatefulRun, Error> {
        let call = Call { from, limit: max_bytes };
        let began = Instant::now();
        let (outcome, kept) = stack::with_room(|| self.run_here(invocation, Some(&call)))?;
        Ok(StatefulRun {
            keeping: began.elapsed().saturating_sub(outcome.usage.wall),
            outcome,
            kept: kept.unwrap_or(Kept::Nothing(Discarded::CutOff)),
        })
    }

    /// Reads a state that [`State::write`] wrote, if its file has at most `max_bytes`.
    ///
    /// # Errors
    /// [`Error::State`] if it belongs to another image or is not whole, [`Error::Io`].
    pub fn read_state(&self, path: &Path, max_bytes: u64) -> Result<State, Error> {
        let saved = state::read(path, &self.0.id, self.memory_len(), max_bytes)?;
        let linked = saved.linkage.map(|record| self.linked(record)).transpose()?;
        Ok(State(Arc::new(Inner::new(self.0.id, saved.pages, linked))))
    }

    /// The same with the changes in the log that belongs to the file, if there is one. A last change that ends too early is left
    /// out; if one is damaged, it and all after it are, and the problem is told.
    ///
    /// # Errors
    /// As [`Image::read_state`].
    pub fn read_state_with_log(
        &self,
        path: &Path,
        log: &Path,
        max_bytes: u64,
    ) -> Result<(State, Option<StateProblem>), Error> {
        let failed = Error::io("cannot read a session's changes");
        let (log, len) = match File::open(log).and_then(|log| Ok((log.metadata()?.len(), log))) {
            Ok((len, log)) => (log, len),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok((self.read_state(path, max_bytes)?, None));
            }
            Err(error) => return Err(failed(error)),
        };
        let saved = state::read(path, &self.0.id, self.memory_len(), max_bytes)?;
        let mut replay = Replay::of(&self.0.mapped, &saved.pages, saved.linkage, saved.digest, max_bytes);
        let problem = replay.read(&mut BufReader::with_capacity(256 << 10, log), len)?;
        let linked = replay.linkage.map(|record| self.linked(record)).transpose()?;
        let pages = Pages::from_map(replay.memory, replay.pages);
        let pages = pages.ok_or(StateProblem::Damaged("a page lies outside its memory"))?;
        Ok((State(Arc::new(Inner::new(self.0.id, pages, linked))), problem))
    }

    /// What to append to a state's log, which ends at `end`, so that it leads from `before` to `after`, and where it ends then. `None` if
    /// it is better to [write](State::write) the state whole.
    ///
    /// # Errors
    /// [`StateProblem::Foreign`] if a state belongs to another image.
    pub fn change(&self, before: &State, after: &State, end: &LogEnd) -> Result<Option<(Vec<u8>, LogEnd)>, Error> {
        if before.0.image != self.0.id || after.0.image != self.0.id {
            return Err(StateProblem::Foreign.into());
        }
        let change = change::encode(&self.0.mapped, &before.0, &after.0, end);
        change.map_err(|error| Error::Invalid(error.to_string()))
    }

    /// What tells this image from all others, also from one built later for the same environment.
    pub fn identity(&self) -> &str {
        &self.0.record.identity
    }

    /// Puts a copy of the image where it outlives the cache, for the states that need it, and says under which name:
    /// [`Cache::forget`] takes it away again.
    ///
    /// # Errors
    /// [`Error::Cache`], [`Error::Io`].
    pub fn keep(&self, keeper: &Cache) -> Result<Key, Error> {
        let image = &self.0;
        let key = image.sandbox.image_key(&image.environment, self.identity());
        keeper.file(IMAGE, &key, |out| image.record.write(image.mapped.pristine(), out))?;
        Ok(key)
    }

    /// The state a run leaves, and whether its instance may wait for the next call.
    pub(super) fn keep_state(&self, ready: &mut Ready, call: &Call<'_>, ending: Ending) -> Result<(Kept, bool), Error> {
        let nothing = |reason| Ok((Kept::Nothing(reason), false));
        match ending {
            Ending::Whole => {}
            Ending::Lost => return nothing(Discarded::OutOfMemory),
            Ending::CutOff => return nothing(Discarded::CutOff),
        }
        // What this calls is in memory that the program had, so it may fail, and may not take for ever.
        let budget = link::budget(&mut ready.store);
        ready.store.data_mut().extend(TIDYING, budget);
        let before = call.from.map(|state| &*state.0);
        let mut wiped_bytes = before.map_or(0, |before| before.wiped_bytes);
        let mut captured = match before {
            Some(before) => self.capture(ready, Some(before), call.limit.min(wiped_bytes + GARBAGE))?,
            None => Err(0),
        };
        if captured.is_err() {
            // The first state, or one with so much more in it that it may be garbage.
            if super::tidy(&mut ready.store, ready.instance, "prims_wipe").is_err() {
                return nothing(Discarded::CutOff);
            }
            captured = self.capture(ready, before, call.limit)?;
            wiped_bytes = captured.as_ref().map_or(0, |(pages, _)| pages.bytes());
        }
        let (pages, written) = match captured {
            Ok(captured) => captured,
            Err(bytes) => {
                let limit = call.limit;
                return nothing(Discarded::TooLarge { bytes, limit });
            }
        };
        let mut inner = Inner::new(self.0.id, pages, self.linked_now(ready, before)?);
        inner.wiped_bytes = wiped_bytes;
        let may_wait = self.0.mapped.reuses() && written <= WAITING_BYTES;
        Ok((Kept::State(State(Arc::new(inner))), may_wait))
    }

    /// The pages of an instance that differ from the image, and how many bytes it has written. The inner error is how many bytes the
    /// pages have, if that is more than `limit`.
    fn capture(&self, ready: &mut Ready, before: Option<&Inner>, limit: u64) -> Result<Captured, Error> {
        link::save_again(&mut ready.store).map_err(Error::engine("saving the globals"))?;
        let memory = ready.memory.data(&ready.store);
        let ranges = memory::written(memory);
        let before = before.map(|before| &before.pages);
        let pages = Pages::capture(&self.0.mapped, memory, &ranges, before, limit);
        let written = ranges.iter().map(ExactSizeIterator::len).sum();
        Ok(pages.map(|pages| (pages, written)))
    }

    /// The linkage of an instance, if it is not the image's; that of the state before is shared if nothing was linked since.
    fn linked_now(&self, ready: &mut Ready, before: Option<&Inner>) -> Result<Option<Arc<Linked>>, Error> {
        let Some(record) = link::added(&ready.store) else {
            return Ok(before.and_then(|before| before.linked.clone()));
        };
        let linked = self.linked(record)?;
        // Should this instance go on, what it has now is what nothing was added to.
        link::rebase(&mut ready.store, &linked.plan);
        Ok(Some(linked))
    }

    /// Keeps the instance that left a state for the call that goes on from there, in place of the one that waits longest.
    pub(super) fn let_wait(&self, state: &State, ready: Ready) {
        *state.0.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(ready);
        let evicted = {
            let waiting = &self.0.sandbox.0.waiting;
            let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.retain(|state| state.upgrade().is_some_and(|state| state.is_waiting()));
            waiting.push_back(Arc::downgrade(&state.0));
            match waiting.len() > WAITING {
                true => waiting.pop_front(),
                false => None,
            }
        };
        if let Some(ready) = evicted
            .as_ref()
            .and_then(Weak::upgrade)
            .and_then(|state| state.take_waiting())
        {
            self.retire(ready);
        }
    }

    fn linked(&self, record: link::LinkageRecord) -> Result<Arc<Linked>, Error> {
        let plan = ImageLinkage::plan(&record, &self.0.sandbox.0.program, &self.0.libraries);
        Ok(Arc::new(Linked {
            plan: Arc::new(plan.map_err(Error::engine("planning a session's linkage"))?),
            record,
        }))
    }

    /// An instance in a state: the one that left it, or another. The memory of that is one that shows the image, with the state's
    /// pages written into it, so that the reset of a used memory has nothing to know about states.
    pub(super) fn ready_from(&self, state: &State) -> Result<Ready, Error> {
        let Inner {
            image, pages, linked, ..
        } = &*state.0;
        if *image != self.0.id {
            return Err(StateProblem::Foreign.into());
        }
        if let Some(waiting) = state.0.take_waiting() {
            return Ok(waiting);
        }
        let failed = || Error::engine("restoring a session");
        let show = |memory: &wasmtime::Memory, store: &mut wasmtime::Store<_>| {
            let missing = pages.len().saturating_sub(memory.data_size(&*store)) / WASM_PAGE;
            memory.grow(&mut *store, missing as u64)?;
            pages.apply(memory.data_mut(store));
            Ok(())
        };
        if let Some(linked) = linked {
            let (mut store, instance) = self.instantiate(&linked.plan)?;
            let Some(memory) = instance.get_memory(&mut store, "memory") else {
                return Err(Error::Invalid("the interpreter exports no memory".into()));
            };
            show(&memory, &mut store).map_err(failed())?;
            let memory = link::restore(&mut store, instance).map_err(failed())?;
            return Ok(Ready::new(store, instance, memory));
        }
        let mut ready = self.take_ready()?;
        show(&ready.memory, &mut ready.store).map_err(failed())?;
        link::load_again(&mut ready.store).map_err(failed())?;
        Ok(ready)
    }
}

impl Sandbox {
    /// The image with this identity, if a copy of it was [kept](Image::keep) by a program that this one can stand in for.
    ///
    /// # Errors
    /// As [`Sandbox::image`].
    pub fn kept_image(
        &self,
        environment: &Environment,
        identity: &str,
        keeper: &Cache,
    ) -> Result<Option<Image>, Error> {
        let absent = || StateProblem::Foreign.into();
        let key = self.image_key(environment, identity);
        match keeper.file(IMAGE, &key, |_| Err::<(), Error>(absent())) {
            Ok(entry) => self.open(entry, environment, None).map(Some),
            Err(Error::State(StateProblem::Foreign)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What states of an image are bound to.
    pub(super) fn image_id(&self, environment: &Environment, identity: &str) -> ImageId {
        *blake3::hash(self.image_key(environment, identity).hex().as_bytes()).as_bytes()
    }

    fn image_key(&self, environment: &Environment, identity: &str) -> Key {
        self.key("one image", environment).with("identity", identity.as_bytes())
    }
}
