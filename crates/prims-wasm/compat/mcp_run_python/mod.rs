//! mcp-run-python: one tool, `run_python_code`, with its schema and description, results as XML or JSON, and its HTTP routes.
//!
//! * [`arguments`]: its command line
//! * [`handler`]: the protocol
//! * [`program`]: from code to what came of it; `driver.py` is the part of it in the guest
//! * [`reply`]: what came of it as XML and as JSON, [`javascript`] as its JSON is written
//! * [`routes`]: its HTTP server

mod arguments;
mod example;
mod handler;
mod javascript;
mod program;
mod reply;
mod routes;

pub(crate) use arguments::serve;
pub use program::lines;

/// The release whose behaviour this is.
const RELEASE: &str = "0.0.22";
/// What it calls itself in the protocol.
const SERVER: (&str, &str) = ("MCP Run Python", "0.0.13");
