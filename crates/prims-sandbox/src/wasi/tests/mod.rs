//! The surface as a guest sees it: a small module calls the functions, through the engine.

#![allow(clippy::unwrap_used)]

mod abuse;
mod clocks;
mod compared;
mod descriptors;
mod files;
mod harness;
mod output;
mod paths;
mod quotas;
mod random_calls;
mod table;
