//! What is kept on disk and can be rebuilt: compiled code, images, unpacked packages.
//!
//! Deleting the cache loses time, never data. Nothing in it is believed: an entry is used only after it was verified against a
//! digest that covers all of it, and one that fails is thrown away and built again.
//!
//! ```text
//! <location>/CACHEDIR.TAG
//! <location>/v1/<kind>/<key>          a file entry: payload, metadata, footer        (0444)
//! <location>/v1/<kind>/<key>          or a folder entry: manifest and tree/          (0444, 0555)
//! <location>/v1/<kind>/<key>.lock     held by whoever builds the entry
//! <location>/v1/<kind>/<key>.tmp      what is being built; renamed to <key> when it is complete
//! <location>/v1/.trash/               what is being removed
//! ```
//!
//! Three promises hold between threads and between processes:
//! * **Once.** An entry is built by one builder at a time; others wait and find it. A builder that dies leaves no lock behind.
//! * **Whole or not at all.** An entry appears under its name by one rename, is never modified afterwards, and is verified
//!   by whoever opens it. What changes, such as a page of an index, is a new entry that takes the old one's place ([`Cache::replace`]).
//! * **Not under your feet.** Whoever holds a [`FileEntry`] (or the file taken out of it) or a [`DirEntry`] keeps a shared lock
//!   on it; [`Cache::clean`] removes only what nobody holds.
//!
//! The folder belongs to one user and nobody else can write it; that is the whole trust boundary. Another process of the same
//! user can do anything to it, as it can to the program itself.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod dir;
mod error;
mod file;
mod key;
mod location;
mod lock;
mod manage;
mod manifest;
mod pages;
mod path;
mod seed;
mod store;
mod sys;
#[cfg(test)]
mod tests;
mod usage;

pub use dir::{DirEntry, DirWriter};
pub use error::{Broken, Error, Insecure};
pub use file::{EntryWriter, FileEntry};
pub use key::Key;
pub use location::{Chosen, Location};
pub use manage::{BrokenEntry, Cleaned, Info, KindInfo, Retention, Verified};
pub use path::PathProblem;
pub use seed::Seed;
pub use store::{Cache, Counters, Origin};
