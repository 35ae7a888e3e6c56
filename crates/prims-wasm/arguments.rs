//! Flags and arguments, exactly as they are typed.

use crate::compat::Compat;
use crate::settings::{LocalArguments, SettingArguments};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Python for AI agents: real CPython in WebAssembly, isolated and bounded.
#[derive(Debug, Parser)]
#[command(name = "prims-wasm", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Serve as another server does, under its names and with its shapes; its own arguments may follow.
    #[arg(long, global = true, value_name = "SERVER")]
    pub(crate) compat: Option<Compat>,

    /// Folder for compiled code, images and packages; it can be deleted at any time. [env: PRIMS_CACHE_DIR]
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) cache_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run Python code in a fresh sandbox.
    Run(Run),
    /// Run a small numpy program and show what it did and how long it took.
    Example(Example),
    /// Compile the interpreter and build images now, so that the first run is fast.
    Warm(Warm),
    /// Serve MCP on standard input and output.
    Stdio(Stdio),
    /// Serve MCP over HTTP.
    StreamableHttp(StreamableHttp),
    /// Serve the REST and gRPC interface of the BeeAI code interpreter.
    ServeRest(ServeRest),
    /// Choose, explain and fetch packages.
    Deps(Deps),
    /// Look after what is kept to be used again.
    Cache(Cache),
    /// Print the effective settings and where each comes from.
    Config(Config),
}

#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(flatten)]
    pub(crate) settings: SettingArguments,

    /// Print them as JSON instead of in the form of the file.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// File with Python code, or `-` to read the code from standard input.
    #[arg(value_name = "FILE", required_unless_present = "code", conflicts_with = "code")]
    pub(crate) file: Option<PathBuf>,

    /// Python code.
    #[arg(short = 'c', value_name = "CODE")]
    pub(crate) code: Option<String>,

    #[command(flatten)]
    pub(crate) settings: LocalArguments<true>,

    #[command(flatten)]
    pub(crate) packages: PackageSources,

    /// Set an environment variable for the code; may be given more than once.
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) env: Vec<(String, String)>,

    /// Folder the code sees as /workspace and may write; a temporary one if not given.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) workspace: Option<PathBuf>,

    /// Folder the code sees as /mounts and may only read.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) mounts: Option<PathBuf>,

    /// Print the whole report as JSON instead of the output.
    #[arg(long)]
    pub(crate) json: bool,

    /// What the code finds in sys.argv.
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) args: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Example {
    #[command(flatten)]
    pub(crate) settings: LocalArguments<false>,

    #[command(flatten)]
    pub(crate) packages: PackageSources,
}

#[derive(Debug, Args)]
pub(crate) struct Warm {
    #[command(flatten)]
    pub(crate) settings: LocalArguments<false>,

    #[command(flatten)]
    pub(crate) packages: PackageSources,
}

/// Files that say which packages the code may import.
#[derive(Debug, Default, Args)]
pub(crate) struct PackageFiles {
    /// File of requirements as pip reads them; may be given more than once.
    #[arg(short = 'r', long = "requirements", value_name = "FILE")]
    pub(crate) requirements: Vec<PathBuf>,

    /// File of constraints: versions packages must have if they are needed; may be given more than once.
    #[arg(long, value_name = "FILE")]
    pub(crate) constraint: Vec<PathBuf>,
}

/// The same, or a lock that says everything.
#[derive(Debug, Default, Args)]
pub(crate) struct PackageSources {
    #[command(flatten)]
    pub(crate) files: PackageFiles,

    /// A pylock.toml, whose packages are installed exactly; no requirements besides.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["requirements", "constraint"])]
    pub(crate) lock: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Stdio {
    #[command(flatten)]
    pub(crate) serving: Serving,
}

#[derive(Debug, Args)]
pub(crate) struct StreamableHttp {
    /// Serve the REST interface of the BeeAI code interpreter beside it.
    #[arg(long)]
    pub(crate) rest: bool,

    #[command(flatten)]
    pub(crate) serving: Serving,
}

/// Other defaults: port 50081, a time limit of 60 s, and what the code imports is installed (--auto-deps).
#[derive(Debug, Args)]
pub(crate) struct ServeRest {
    /// Port for gRPC, on the same address; 0 means any free one [default: 50051].
    #[arg(long, value_name = "PORT", conflicts_with = "no_grpc")]
    pub(crate) grpc_port: Option<u16>,

    /// Do not serve gRPC.
    #[arg(long)]
    pub(crate) no_grpc: bool,

    #[command(flatten)]
    pub(crate) serving: Serving,
}

/// What both kinds of servers take.
#[derive(Debug, Args)]
pub(crate) struct Serving {
    #[command(flatten)]
    pub(crate) settings: SettingArguments,

    #[command(flatten)]
    pub(crate) files: PackageFiles,
}

#[derive(Debug, Args)]
pub(crate) struct Deps {
    #[command(subcommand)]
    pub(crate) command: DepsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DepsCommand {
    /// Choose versions and write them down as a pylock.toml.
    Lock(DepsLock),
    /// Download and unpack packages, and make the image that runs start from.
    Install(DepsInstall),
    /// Show which package needs which.
    Tree(DepsInputs),
    /// Say why a package is among those chosen.
    Why(DepsWhy),
    /// Save wheels in a folder, which can then be given as --index-url.
    Download(DepsDownload),
}

#[derive(Debug, Args)]
pub(crate) struct DepsInputs {
    /// Requirements as in `pip install`.
    #[arg(value_name = "REQUIREMENTS")]
    pub(crate) wanted: Vec<String>,

    /// Python file with a block of script metadata (PEP 723).
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) settings: LocalArguments<false>,

    #[command(flatten)]
    pub(crate) packages: PackageSources,
}

#[derive(Debug, Args)]
pub(crate) struct DepsLock {
    /// File to write; `-` for standard output.
    #[arg(short = 'o', long, value_name = "FILE", default_value = "pylock.toml")]
    pub(crate) output: PathBuf,

    #[command(flatten)]
    pub(crate) inputs: DepsInputs,
}

#[derive(Debug, Args)]
pub(crate) struct DepsInstall {
    /// Only download and unpack; the first run makes the image.
    #[arg(long)]
    pub(crate) no_image: bool,

    #[command(flatten)]
    pub(crate) inputs: DepsInputs,
}

#[derive(Debug, Args)]
pub(crate) struct DepsWhy {
    /// The package.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) inputs: DepsInputs,
}

#[derive(Debug, Args)]
pub(crate) struct DepsDownload {
    /// Folder to save them in; made if it is not there.
    #[arg(short = 'd', long, value_name = "FOLDER", default_value = "wheels")]
    pub(crate) directory: PathBuf,

    #[command(flatten)]
    pub(crate) inputs: DepsInputs,
}

#[derive(Debug, Args)]
pub(crate) struct Cache {
    #[command(subcommand)]
    pub(crate) command: CacheCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// Show where the cache lies and what it holds.
    Info,
    /// Compare every entry with its digest.
    Verify,
    /// Remove entries that nobody uses: all, or those the options name.
    Clean(CacheClean),
}

#[derive(Debug, Args)]
pub(crate) struct CacheClean {
    /// Only what was not used for this long, for example 30d.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) older_than: Option<Duration>,

    /// Only until no more than this is left, what was used longest ago first; for example 5g.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) max_size: Option<u64>,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !text.contains('\0') => Ok((name.into(), value.into())),
        _ => Err(format!("`{text}` is not of the form NAME=VALUE")),
    }
}

/// A number and a unit: `ms`, `s` (or none), `m`, `h`, `d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let error = || format!("`{text}` is not a duration, expected for example 500ms, 10s or 2m");
    let (number, unit) = split_unit(text);
    let seconds = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(error()),
    };
    let value: f64 = number.parse().map_err(|_| error())?;
    let duration = Duration::try_from_secs_f64(value * seconds).map_err(|_| error())?;
    if duration.is_zero() { Err(error()) } else { Ok(duration) }
}

/// A number and a unit: bytes if none, `k`, `m`, `g` (powers of 1024, `b` or `ib` may follow).
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let error = || format!("`{text}` is not a size, expected for example 256m or 1g");
    let (number, unit) = split_unit(text);
    let shift = match unit.to_ascii_lowercase().trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        _ => return Err(error()),
    };
    let value: f64 = number.parse().map_err(|_| error())?;
    let bytes = value * f64::from(1u32 << shift);
    if (1.0..9e15).contains(&bytes) {
        Ok(bytes as u64)
    } else {
        Err(error())
    }
}

fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let at = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    (&text[..at], text[at..].trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn durations() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("10"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        for bad in ["", "s", "0", "-1s", "1y", "1e400s", "999999999999999999999999h", "1 0s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(size("256m"), Ok(256 << 20));
        assert_eq!(size("1.5GiB"), Ok(3 << 29));
        assert_eq!(size("4096"), Ok(4096));
        for bad in ["", "m", "0", "-1", "1x", "1e9g", "99999999999999999999g"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
