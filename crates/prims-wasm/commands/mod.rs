//! The commands: one file each.

mod cache;
mod config;
mod deps;
mod example;
mod run;
pub(crate) mod serve;
mod warm;

use crate::arguments::{Arguments, Command};
use crate::report::status;
use crate::{compat, console};
use clap::Parser;
use std::ffi::OsString;
use std::process::ExitCode;

/// Anything that keeps a command from doing its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A request could not be carried out.
    #[error(transparent)]
    Interpreter(#[from] prims_interpreter::Error),
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] prims_cache::Error),
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] crate::settings::Error),
    /// The HTTP server cannot be started.
    #[error(transparent)]
    Http(#[from] crate::http::Error),
    /// Fetching by URL cannot be set up.
    #[error(transparent)]
    Fetch(#[from] crate::fetch::FetchError),
    /// The embedded guest cannot be unpacked.
    #[error(transparent)]
    Guest(#[from] crate::guest::Error),
    /// A file or standard input cannot be read.
    #[error("cannot read `{name}`")]
    Read {
        /// What it is called.
        name: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write `{name}`")]
    Write {
        /// What it is called.
        name: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The code is not text.
    #[error("`{0}` is not UTF-8 text, expected Python code")]
    NotText(String),
    /// A server cannot be started.
    #[error("cannot serve on {on}")]
    Serve {
        /// Where.
        on: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Anything else that was asked for and cannot be.
    #[error("{0}")]
    Usage(String),
}

impl From<prims_packages::Error> for Error {
    fn from(error: prims_packages::Error) -> Error {
        Error::Interpreter(error.into())
    }
}

impl Error {
    /// What to do about it, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Interpreter(error) => error.hint(),
            Error::Cache(error) => error.hint().map(Into::into),
            Error::Settings(error) => error.hint(),
            Error::Http(error) => error.hint(),
            Error::Fetch(error) => error.hint().map(Into::into),
            Error::Read { .. } => Some("give the path of a Python file, `-` for standard input, or -c CODE".into()),
            _ => None,
        }
    }
}

/// Parses the command line, does what it says, and returns the exit status.
pub fn main() -> ExitCode {
    ExitCode::from(main_with(std::env::args_os()))
}

/// The same with other arguments, of which the first is the program's name.
pub fn main_with(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let given: Vec<_> = arguments.into_iter().collect();
    let done = match compat::asked(&given) {
        Some(server) => compat::serve(server, &given).unwrap_or_else(|| command(&given)),
        None => command(&given),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            let hint = error.hint();
            console::error(&error, hint);
            status::USAGE
        }
    }
}

fn command(given: &[OsString]) -> Result<u8, Error> {
    let arguments = match Arguments::try_parse_from(given) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return Ok(u8::try_from(error.exit_code()).unwrap_or(status::USAGE));
        }
    };
    let cache_dir = arguments.cache_dir.as_deref();
    match &arguments.command {
        Command::Run(run) => run::run(run, cache_dir),
        Command::Example(example) => example::example(example, cache_dir),
        Command::Warm(warm) => warm::warm(warm, cache_dir),
        Command::Stdio(stdio) => serve::stdio(stdio, cache_dir, arguments.compat),
        Command::StreamableHttp(http) => serve::streamable_http(http, cache_dir, arguments.compat),
        Command::ServeRest(rest) => serve::rest::serve_rest(rest, cache_dir),
        Command::Deps(arguments) => deps::deps(arguments, cache_dir),
        Command::Cache(arguments) => cache::cache(arguments, cache_dir),
        Command::Config(arguments) => config::config(arguments),
    }
}
