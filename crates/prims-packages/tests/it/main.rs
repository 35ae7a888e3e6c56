//! From requirements to an environment, with wheels made here: honest ones and others.

#![allow(clippy::unwrap_used)]

mod archives;
mod children;
mod environments;
mod faults;
mod fetching;
mod listings;
mod locking;
#[path = "../../../prims-cache/tests/it/process.rs"]
mod process;
#[path = "../../../prims-cache/tests/it/random.rs"]
mod random;
mod resolving;
mod resolving_corpus;
mod resolving_hard;
mod resolving_properties;
mod resolving_scenarios;
mod server;
mod shelf;
mod support;
mod wheels;
