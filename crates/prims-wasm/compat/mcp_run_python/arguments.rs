//! Its command line: one mode, and options before or after it. The settings of this program can be given too.

use super::handler::{Handler, Mode};
use super::reply::ReturnMode;
use super::{RELEASE, example, routes};
use crate::arguments::PackageFiles;
use crate::commands::{Error, serve};
use crate::compat::Compat;
use crate::console;
use crate::settings::{SettingArguments, Settings};
use clap::{CommandFactory, Parser, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// MCP server for running untrusted Python code.
#[derive(Debug, Parser)]
#[command(name = "mcp-run-python", max_term_width = 100)]
pub(super) struct Arguments {
    /// How to serve, or `example` to run a small program that needs numpy.
    #[arg(value_enum)]
    mode: Option<Way>,

    /// Form of results.
    #[arg(long, value_enum, default_value = "xml")]
    return_mode: ReturnMode,

    /// Accepted and without effect: code never reaches a network here.
    #[arg(long)]
    disable_networking: bool,

    /// Log more.
    #[arg(long)]
    verbose: bool,

    /// Show the version and exit.
    #[arg(long)]
    version: bool,

    #[arg(long, hide = true)]
    compat: Option<Compat>,

    /// Folder for compiled code, images and packages; it can be deleted at any time.
    #[arg(long, value_name = "FOLDER", env = "PRIMS_CACHE_DIR")]
    pub(super) cache_dir: Option<PathBuf>,

    #[command(flatten)]
    pub(super) settings: SettingArguments,

    #[command(flatten)]
    pub(super) files: PackageFiles,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    Stdio,
    StreamableHttp,
    StreamableHttpStateless,
    Example,
}

/// Does what `mcp-run-python` does with these arguments.
pub(crate) fn serve(arguments: &[OsString]) -> Result<u8, Error> {
    let arguments = Arguments::parse_from(arguments);
    if arguments.version {
        console::out(&format!("mcp-run-python {RELEASE}\n"));
        return Ok(0);
    }
    let Some(way) = arguments.mode else {
        let missing = clap::error::ErrorKind::MissingRequiredArgument;
        Arguments::command().error(missing, "Mode is required").exit();
    };
    let over_http = matches!(way, Way::StreamableHttp | Way::StreamableHttpStateless);
    if !over_http && arguments.settings.given.contains_key("port") {
        let message = "`--port` is only supported by `streamable-http` and `streamable-http-stateless`";
        return Err(Error::Usage(message.into()));
    }
    let settings = settings(&arguments)?;
    if way == Way::Example {
        return example::example(&arguments, &settings);
    }
    let program = serve::program(settings, &arguments.files, arguments.cache_dir.as_deref(), |_| None)?;
    let handler = |mode| Handler::new(program.state.clone(), mode, arguments.return_mode);
    match way {
        Way::StreamableHttp => serve::over_http(&program, || routes::stateful(handler(Mode::Stateful))),
        Way::StreamableHttpStateless => serve::over_http(&program, || routes::stateless(handler(Mode::Stateless))),
        _ => serve::over_stdio(&program, handler(Mode::Stateful)),
    }
}

fn settings(arguments: &Arguments) -> Result<Settings, Error> {
    let mut given = arguments.settings.clone();
    if arguments.verbose {
        given.given.entry("log-level").or_insert_with(|| vec!["debug".into()]);
    }
    Ok(Settings::load(&given)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_before_or_after_the_mode() {
        Arguments::command().debug_assert();
        for line in ["--deps numpy,rich stdio", "stdio --dependencies numpy,rich"] {
            let line = format!("prims-wasm --compat mcp-run-python {line} --verbose --disable-networking");
            let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(arguments.mode, Some(Way::Stdio));
            let settings = settings(&arguments).unwrap();
            assert_eq!(settings.packages.deps, ["numpy", "rich"]);
            assert_eq!(settings.server.port, 3001);
        }
    }
}
