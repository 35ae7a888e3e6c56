//! From requirements to an environment, with wheels made here: honest ones and others.

#![allow(clippy::unwrap_used)]

mod archives;
mod environments;
mod resolving;
mod support;
mod wheels;
