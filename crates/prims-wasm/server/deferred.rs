//! An interpreter that is made when it is first needed: clients ask what a server can do long before they run anything, and compiling the guest for the
//! first time takes longer than some of them wait.

use crate::commands::Error;
use prims_interpreter::Interpreter;
use std::sync::{Mutex, OnceLock, PoisonError};

type Make = Box<dyn Fn() -> Result<Interpreter, Error> + Send + Sync>;

/// Makes an interpreter once; an attempt that failed is made again by the next call.
pub struct Deferred {
    made: OnceLock<Interpreter>,
    /// Locked while it is made: those who come meanwhile wait for it and do not make another one.
    make: Mutex<Make>,
}

impl Deferred {
    /// Not made yet.
    pub fn new(make: impl Fn() -> Result<Interpreter, Error> + Send + Sync + 'static) -> Deferred {
        Deferred {
            made: OnceLock::new(),
            make: Mutex::new(Box::new(make)),
        }
    }

    /// The interpreter. May block for as long as compiling the guest takes.
    ///
    /// # Errors
    /// The guest cannot be compiled or the cache cannot be used.
    pub fn get(&self) -> Result<&Interpreter, Error> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let make = self.make.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let made = make()?;
        Ok(self.made.get_or_init(|| made))
    }

    /// Whether it has been made.
    pub fn is_made(&self) -> bool {
        self.made.get().is_some()
    }
}

impl From<Interpreter> for Deferred {
    fn from(made: Interpreter) -> Deferred {
        let again = made.clone();
        let deferred = Deferred::new(move || Ok(again.clone()));
        let _ = deferred.made.set(made);
        deferred
    }
}
