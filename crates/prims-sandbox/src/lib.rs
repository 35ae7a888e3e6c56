//! Python in WebAssembly, isolated and bounded: an image and an invocation in, an outcome out.
//!
//! ```text
//!  Guest ──compile──▶ Sandbox ──start, import, snapshot──▶ Image ──run──▶ Outcome
//!          (cached)            (cached)                            the image's state each time
//! ```
//!
//! * A **guest** is CPython as a WebAssembly module with its standard library. It is hostile from its first instruction: every
//!   pointer, length and text that comes from it is checked, and nothing it does is an error of the host.
//! * A **sandbox** is the guest compiled to machine code by [wasmtime](https://wasmtime.dev), which the cache keeps.
//! * An **image** is a started interpreter with an environment's packages imported: pages of linear memory and a record of
//!   what was linked. Restoring one takes a tenth of a millisecond, because a run copies only the pages it writes.
//! * A **run** has an instance for itself, which begins as the image in every byte and is reset or dropped afterwards. What survives
//!   it is its workspace folder and, for a call of a session, a **state**: the pages it changed.
//!
//! Everything a run may use is bounded by [`Limits`]; how it ended is an [`Exit`]. Output is captured by the host and returned
//! whatever the way a run ends.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod change;
mod check;
mod compile;
mod engine;
mod error;
mod host;
mod image;
mod janitor;
mod limits;
mod link;
mod memory;
mod mounts;
mod offenders;
mod outcome;
mod pages;
mod sandbox;
mod stack;
mod state;
mod stop;
mod symbols;
mod transform;
mod wasi;

pub use change::{LogEnd, count_changes};
pub use check::SideModuleProblem;
pub use error::Error;
pub use image::IMAGE;
pub use limits::{AboveCeiling, Limits};
pub use memory::SlotPolicy;
pub use mounts::{Claim, FolderQuota};
pub use outcome::{
    CapturedStream, Crash, Exit, Invocation, Outcome, Output, OutputSink, Prepared, PythonError, Rich, Skipped, Stream,
    Usage, Value,
};
pub use sandbox::{Environment, Guest, Image, Metering, Options, Progress, ProgressSink, Sandbox, StatefulRun};
pub use state::{Discarded, Kept, State, StateProblem};
pub use stop::{Cancel, StopReason};
pub use wasi::SharedFolder;
