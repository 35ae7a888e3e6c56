//! Its command line, which has nothing on it, and its environment. The settings of this program can be given too, and come first.

use super::handler::Handler;
use crate::arguments::PackageFiles;
use crate::commands::{Error, serve};
use crate::compat::Compat;
use crate::http::{Kept, Refusals, Routes};
use crate::server::endpoint;
use crate::settings::{SettingArguments, Settings};
use clap::{Parser, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const PORT: u16 = 9000;
const TIMEOUT: Duration = Duration::from_secs(100);
/// Its variables, and the settings they are. The last one names its unit.
const VARIABLES: [(&str, &str, &str); 4] = [
    ("PRIMS_PORT", "PORT", ""),
    ("PRIMS_TIMEOUT", "PRIMCS_TIMEOUT", "s"),
    ("PRIMS_OUTPUT", "PRIMCS_MAX_OUTPUT", ""),
    ("PRIMS_DATA_DIR", "PRIMCS_TMP_DIR", ""),
];

/// Python for AI agents, in the place of PRIMS.
#[derive(Debug, Parser)]
#[command(name = "prims-wasm --compat prims", max_term_width = 100)]
struct Arguments {
    /// How to serve.
    #[arg(value_enum, default_value = "streamable-http")]
    mode: Way,

    #[arg(long, hide = true)]
    compat: Option<Compat>,

    /// Folder for compiled code, images and packages; it can be deleted at any time.
    #[arg(long, value_name = "FOLDER", env = "PRIMS_CACHE_DIR")]
    cache_dir: Option<PathBuf>,

    #[command(flatten)]
    settings: SettingArguments,

    #[command(flatten)]
    files: PackageFiles,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    Stdio,
    StreamableHttp,
}

/// Does what PRIMS does with these arguments and this environment.
pub(crate) fn serve(arguments: &[OsString]) -> Result<u8, Error> {
    let arguments = Arguments::parse_from(arguments);
    let settings = settings(&arguments.settings, &|name| std::env::var(name).ok())?;
    let usual = match arguments.mode {
        Way::Stdio => |_: &Settings| None,
        Way::StreamableHttp => serve::usual_data_dir,
    };
    let program = serve::program(settings, &arguments.files, arguments.cache_dir.as_deref(), usual)?;
    let handler = Handler::new(program.state.clone());
    match arguments.mode {
        Way::Stdio => serve::over_stdio(&program, handler),
        Way::StreamableHttp => serve::over_http(&program, || Routes {
            artifacts: Kept::Elsewhere(Arc::new(handler.clone())),
            refusals: Refusals {
                artifacts: true,
                ..Refusals::default()
            },
            ..Routes::of(endpoint(handler, serve::edge::config()))
        }),
    }
}

/// The settings, with its variables and defaults where nothing of ours is said.
fn settings(arguments: &SettingArguments, environment: &dyn Fn(&str) -> Option<String>) -> Result<Settings, Error> {
    let its = |name: &str| {
        let (_, variable, unit) = VARIABLES.iter().find(|(ours, ..)| *ours == name)?;
        let value = environment(variable).filter(|value| !value.is_empty())?;
        Some(format!("{value}{unit}"))
    };
    let known = |name: &str| {
        let long = || {
            // What PRIMS was told to allow is allowed.
            let seconds: u64 = environment("PRIMCS_TIMEOUT")?.parse().ok()?;
            (name == "PRIMS_MAX_TIMEOUT" && seconds > 300).then(|| format!("{seconds}s"))
        };
        environment(name).or_else(|| its(name)).or_else(long)
    };
    let mut settings = Settings::load_with(arguments, &known)?;
    if settings.is_default("port") {
        settings.server.port = PORT;
    }
    if settings.is_default("timeout") {
        settings.limits.timeout = TIMEOUT.min(settings.ceilings.timeout);
    }
    // pandas, openpyxl and requests are always installed there; here they are, like everything else, when code imports them.
    if settings.is_default("auto-deps") {
        settings.packages.auto_deps = true;
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn variables_and_defaults() {
        Arguments::command().debug_assert();
        let with = |variables: &[(&str, &str)], flags: &[&str]| {
            let line = ["prims-wasm", "--compat", "prims"];
            let arguments = Arguments::try_parse_from(line.iter().chain(flags)).unwrap();
            let look_up = |name: &str| {
                let found = variables.iter().find(|(other, _)| *other == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            settings(&arguments.settings, &look_up).unwrap()
        };
        let plain = with(&[], &[]);
        assert_eq!(
            (plain.server.port, plain.limits.timeout),
            (9000, Duration::from_secs(100))
        );
        assert!(plain.packages.auto_deps);
        let told = with(
            &[
                ("PORT", "8123"),
                ("PRIMCS_TIMEOUT", "600"),
                ("PRIMCS_MAX_OUTPUT", "2048"),
                ("PRIMCS_TMP_DIR", "/data"),
            ],
            &["--auto-deps=false"],
        );
        assert_eq!(
            (told.server.port, told.limits.timeout),
            (8123, Duration::from_secs(600))
        );
        assert_eq!(told.limits.output.0, 2048);
        assert_eq!(told.sessions.data_dir, Some(PathBuf::from("/data")));
        assert!(!told.packages.auto_deps);
        let ours = with(&[("PORT", "8123"), ("PRIMS_PORT", "8124")], &["--timeout", "5s"]);
        assert_eq!((ours.server.port, ours.limits.timeout), (8124, Duration::from_secs(5)));
        assert_eq!(with(&[("PORT", "1")], &["--port", "0"]).server.port, 0);
    }
}
