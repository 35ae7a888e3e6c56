//! Runs that go on where another one ended, and what has to outlive the cache for that.

use super::{Environment, Image, Ready, Sandbox};
use crate::error::Error;
use crate::link::{self, ImageLinkage};
use crate::outcome::{Invocation, Outcome};
use crate::pages::Pages;
use crate::stack;
use crate::state::{self, Discarded, ImageId, Inner, Kept, Linked, State, StateProblem};
use prims_cache::{Cache, Key};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const WASM_PAGE: usize = 64 << 10;

/// How long the guest may take to ready its memory for being kept; wiping all it can have takes a second.
const TIDYING: Duration = Duration::from_secs(10);

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
        Ok(State(Arc::new(Inner {
            image: self.0.id,
            pages: saved.pages,
            linked,
        })))
    }

    /// What tells this image from all others, also from one built later for the same environment.
    pub fn identity(&self) -> &str {
        &self.0.record.identity
    }

    /// Puts a copy of the image where it outlives the cache, for the states that need it.
    ///
    /// # Errors
    /// [`Error::Cache`], [`Error::Io`].
    pub fn keep(&self, keeper: &Cache) -> Result<(), Error> {
        let image = &self.0;
        let key = image.sandbox.image_key(&image.environment, self.identity());
        keeper.file("image", &key, |out| image.record.write(image.mapped.pristine(), out))?;
        Ok(())
    }

    pub(super) fn keep_state(&self, ready: &mut Ready, call: &Call<'_>, ending: Ending) -> Result<Kept, Error> {
        match ending {
            Ending::Whole => {}
            Ending::Lost => return Ok(Kept::Nothing(Discarded::OutOfMemory)),
            Ending::CutOff => return Ok(Kept::Nothing(Discarded::CutOff)),
        }
        // What this meets in memory is the program's doing, so it may fail, and may not take for ever.
        let budget = link::budget(&mut ready.store);
        ready.store.data_mut().extend(TIDYING, budget);
        if super::tidy(&mut ready.store, ready.instance, "prims_wipe").is_err() {
            return Ok(Kept::Nothing(Discarded::CutOff));
        }
        let record = link::save_again(&mut ready.store).map_err(Error::engine("saving the linkage"))?;
        let previous = call.from.map(|state| &state.0.pages);
        let memory = ready.memory.data(&ready.store);
        let pages = match Pages::capture(&self.0.mapped, memory, previous, call.limit) {
            Ok(pages) => pages,
            Err(bytes) => {
                let limit = call.limit;
                return Ok(Kept::Nothing(Discarded::TooLarge { bytes, limit }));
            }
        };
        let linked = match (record, call.from.and_then(|state| state.0.linked.as_ref())) {
            (Some(record), _) => Some(self.linked(record)?),
            // Nothing was added to what the state had added to the image.
            (None, Some(same)) => Some(Linked {
                record: same.record.clone(),
                plan: Arc::clone(&same.plan),
            }),
            (None, None) => None,
        };
        Ok(Kept::State(State(Arc::new(Inner {
            image: self.0.id,
            pages,
            linked,
        }))))
    }

    fn linked(&self, record: link::LinkageRecord) -> Result<Linked, Error> {
        let plan = ImageLinkage::plan(&record, &self.0.sandbox.0.program, &self.0.libraries);
        Ok(Linked {
            plan: Arc::new(plan.map_err(Error::engine("planning a session's linkage"))?),
            record,
        })
    }

    /// An instance in a state. Its memory is one that shows the image, with the state's pages written into it, so that the reset
    /// of a used memory has nothing to know about states.
    pub(super) fn ready_from(&self, state: &State) -> Result<Ready, Error> {
        let Inner { image, pages, linked } = &*state.0;
        if *image != self.0.id {
            return Err(StateProblem::Foreign.into());
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
            return Ok(Ready {
                store,
                instance,
                memory,
            });
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
        match keeper.file("image", &key, |_| Err::<(), Error>(absent())) {
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
