//! The cache as its users see it, alone and with others.

#![allow(clippy::unwrap_used)]

mod broken;
mod children;
mod concurrency;
mod housekeeping;
mod limits;
mod process;
mod random;
mod support;
