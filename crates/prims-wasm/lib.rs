//! prims-wasm: Python for AI agents, in a real CPython compiled to WebAssembly, isolated and bounded.
//!
//! This package is the edge: the command line and its [`settings`], the MCP server ([`server`]) with what stands before it over HTTP ([`http`], [`auth`]),
//! the one way to a URL that a caller names ([`fetch`]), and the guest's files embedded in the program ([`guest`]). What it does lies in
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
mod hex;
pub mod http;
mod report;
pub mod rest;
pub mod server;
pub mod settings;
mod setup;

pub use commands::{Error, main, main_with};
pub use compat::lines as output_lines;
pub use report::exit_status;
pub use setup::{embedded_guest, interpreter, interpreter_for, interpreter_with, overlaid_guest, use_seed};

#[cfg(test)]
mod repository_tests;
