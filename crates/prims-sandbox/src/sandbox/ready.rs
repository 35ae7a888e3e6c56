//! Instances between runs: made ahead of need, and used again.
//!
//! Making an instance costs more than a short run, most of all where many modules are linked to it. A run can change its memory and
//! its globals, and nothing else of it, unless it grows the memory, loads modules, or executes code that changes tables. So when a
//! run came back by itself and did none of that, memory and globals are made what they are in the image, and another run has the
//! instance. After everything else, a trap or a stop above all, it is dropped.

use super::Image;
use crate::error::Error;
use crate::host::Host;
use crate::janitor;
use crate::limits::Limits;
use crate::link::{self, ImageLinkage, Linkage};
use crate::memory::{self, PrivatePages};
use crate::wasi::{Wasi, WasiSpec};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use wasmtime::Store;

/// Instances made ahead of need per image; making one costs a run's start, keeping one costs a few pages.
const READY: usize = 2;

/// Instances kept per image, those that have yet to be reset included: as many as runs that go on at once find again.
const KEPT: usize = 16;

/// Runs after which an instance is dropped all the same, so that whatever the engine or the kernel should pile up for it has an end.
const MAX_RUNS: u32 = 250;

/// An instance whose memory is its image or the state of a session.
///
/// It has a run, or the calls that lead from one state to the next. A session and its forks share a state: the first of them to go on
/// has the instance, the others begin with its pages.
pub(crate) struct Ready {
    pub(super) store: Store<Host>,
    pub(super) instance: wasmtime::Instance,
    pub(super) memory: wasmtime::Memory,
    /// Runs it had before the next one.
    runs: u32,
    /// The pages in which its memory can differ from the image, if nothing that is not known has been written since it was reset.
    private: Option<PrivatePages>,
}

impl Ready {
    pub(super) fn new(store: Store<Host>, instance: wasmtime::Instance, memory: wasmtime::Memory) -> Ready {
        Ready {
            store,
            instance,
            memory,
            runs: 0,
            private: None,
        }
    }

    /// Hands `bytes` to a guest function that takes a pointer and a length.
    pub(super) fn call(&mut self, function: &str, bytes: &[u8]) -> wasmtime::Result<i32> {
        let faults = memory::faults();
        let result = super::call(&mut self.store, self.instance, self.memory, function, bytes);
        // From here on nobody writes to the memory of a run that came back, but the reset.
        if faults.is_none() || faults != memory::faults() {
            self.private = None;
        }
        result
    }
}

/// Instances that no run has.
#[derive(Default)]
pub(super) struct Pool {
    /// Restored.
    ready: Vec<Ready>,
    /// As a run left them.
    used: Vec<Ready>,
}

impl Pool {
    fn len(&self) -> usize {
        self.ready.len() + self.used.len()
    }
}

impl Image {
    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.0.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An instance for a run: one that waits, else one that only has to be reset, else one made now.
    pub(super) fn take_ready(&self) -> Result<Ready, Error> {
        let (ready, used) = {
            let mut pool = self.pool();
            match pool.ready.pop() {
                Some(ready) => (Some(ready), None),
                None => (None, pool.used.pop()),
            }
        };
        match ready.or_else(|| self.reset(used?)) {
            Some(ready) => Ok(ready),
            None => self.make_ready(),
        }
    }

    fn make_ready(&self) -> Result<Ready, Error> {
        let (mut store, instance) = self.instantiate(&self.0.linkage)?;
        let memory = link::restore(&mut store, instance).map_err(Error::engine("restoring an image"))?;
        Ok(Ready::new(store, instance, memory))
    }

    /// An instance whose memory shows the image and that has nothing else of it yet.
    pub(super) fn instantiate(&self, linkage: &Arc<ImageLinkage>) -> Result<(Store<Host>, wasmtime::Instance), Error> {
        let (image, sandbox) = (&self.0, &self.0.sandbox);
        image.made.fetch_add(1, Ordering::Relaxed);
        let linkage = Linkage::new(
            sandbox.program(),
            Arc::clone(&image.libraries),
            Some(Arc::clone(linkage)),
        );
        let mut store = sandbox.store(Wasi::new(WasiSpec::idle()), &Limits::CEILING, linkage);
        let instance = memory::with_image(&image.mapped, || sandbox.0.pre.instantiate(&mut store))
            .map_err(Error::engine("instantiating an image"))?;
        Ok((store, instance))
    }

    /// Takes back the instance of a run that came back by itself: for another run if that is possible.
    pub(super) fn give_back(&self, mut used: Ready) {
        used.runs += 1;
        let is_as_made = used.runs < MAX_RUNS
            && self.0.mapped.reuses()
            && used.memory.data_size(&used.store) == self.memory_len()
            && link::is_as_restored(&used.store, &self.0.linkage);
        if !is_as_made {
            return self.retire(used);
        }
        let refused = {
            let mut pool = self.pool();
            match pool.len() < KEPT {
                true => {
                    pool.used.push(used);
                    None
                }
                false => Some(used),
            }
        };
        match refused {
            Some(used) => self.retire(used),
            None => self.soon(|image| {
                image.reset_one();
            }),
        }
    }

    /// Drops what a run leaves while nobody waits.
    pub(super) fn retire(&self, used: Ready) {
        self.soon(|image| {
            drop(used);
            image.0.mapped.clean_one();
        });
    }

    /// Makes an instance ahead of need while nobody waits, if there are too few.
    pub(super) fn replenish(&self) {
        if self.pool().len() < READY {
            self.soon(|_| ());
        }
    }

    /// Has the janitor do something, and make an instance ahead of need after that if there are too few.
    fn soon(&self, work: impl FnOnce(&Image) + Send + 'static) {
        let image = Arc::downgrade(&self.0);
        janitor::hand_over(move || {
            let Some(image) = image.upgrade().map(Image) else {
                return;
            };
            work(&image);
            if image.pool().len() < READY
                && let Ok(ready) = image.make_ready()
            {
                image.pool().ready.push(ready);
            }
        });
    }

    /// Resets one used instance; false if there is none.
    fn reset_one(&self) -> bool {
        let Some(used) = self.pool().used.pop() else {
            return false;
        };
        if let Some(ready) = self.reset(used) {
            self.pool().ready.push(ready);
        }
        true
    }

    /// Makes memory and globals what they are in the image. `None`: the instance is gone, because that failed.
    fn reset(&self, mut used: Ready) -> Option<Ready> {
        let memory = used.memory.data_mut(&mut used.store);
        self.0.mapped.reset_in_place(memory, &mut used.private).ok()?;
        link::load_again(&mut used.store).ok()?;
        Some(used)
    }

    /// Resets all used instances and compares the restored ones with the image: how many there are, and in how many bytes they differ
    /// once their globals are in their memory.
    pub(super) fn verify_ready(&self) -> Result<(usize, usize), Error> {
        while self.reset_one() {}
        let (mut pool, mut differing) = (self.pool(), 0);
        for ready in &mut pool.ready {
            link::save_again(&mut ready.store).map_err(Error::engine("saving the globals"))?;
            ready.private = None;
            let (memory, image) = (ready.memory.data(&ready.store), self.0.mapped.pristine());
            differing += memory.len().abs_diff(image.len());
            if memory != image {
                differing += memory.iter().zip(image).filter(|(a, b)| a != b).count();
            }
        }
        Ok((pool.ready.len(), differing))
    }
}
