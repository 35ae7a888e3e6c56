//! From requirements to an environment, with wheels made here: honest ones and others.

#![allow(clippy::unwrap_used)]

mod archives;
mod children;
mod environments;
mod faults;
mod fetching;
mod listings;
mod resolving;
mod server;
mod support;
mod wheels;
