//! prims-wasm: Python for AI agents, in a real CPython compiled to WebAssembly, isolated and bounded.
//!
//! This package is the edge: the command line, the MCP server ([`server`]), and the guest's files embedded in the program ([`guest`]). What it does lies in
//! the crates below it: `prims-interpreter` (request in, report out), `prims-packages` (requirements to environment),
//! `prims-sandbox` (image and invocation to outcome) and `prims-cache`.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod arguments;
pub mod auth;
mod commands;
mod compat;
mod console;
pub mod fetch;
pub mod guest;
pub mod http;
mod report;
pub mod server;
pub mod settings;
mod setup;

pub use commands::{Error, main};
pub use setup::{embedded_guest, interpreter, interpreter_with, overlaid_guest};

#[cfg(test)]
mod repository_tests;
