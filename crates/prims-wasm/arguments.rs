//! Flags and arguments, exactly as they are typed.

use clap::{Args, Parser, Subcommand};
use prims_sandbox::Limits;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Python for AI agents: real CPython in WebAssembly, isolated and bounded.
#[derive(Debug, Parser)]
#[command(name = "prims-wasm", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Folder for compiled code, images and packages; it can be deleted at any time.
    #[arg(long, global = true, value_name = "FOLDER", env = "PRIMS_CACHE_DIR")]
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
    pub(crate) packages: Packages,

    #[command(flatten)]
    pub(crate) limits: LimitArguments,

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
    pub(crate) packages: Packages,
}

#[derive(Debug, Args)]
pub(crate) struct Warm {
    #[command(flatten)]
    pub(crate) packages: Packages,
}

#[derive(Debug, Args)]
pub(crate) struct Stdio {
    #[command(flatten)]
    pub(crate) serving: Serving,
}

#[derive(Debug, Args)]
pub(crate) struct StreamableHttp {
    /// Port to listen on; 0 for one that is free.
    #[arg(long, value_name = "PORT", default_value_t = 3001)]
    pub(crate) port: u16,

    /// Address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) host: IpAddr,

    #[command(flatten)]
    pub(crate) serving: Serving,
}

/// What both kinds of servers take.
#[derive(Debug, Args)]
pub(crate) struct Serving {
    #[command(flatten)]
    pub(crate) packages: Packages,

    #[command(flatten)]
    pub(crate) limits: LimitArguments,

    /// Longest wall-clock limit a call may ask for.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5m")]
    pub(crate) max_timeout: Duration,

    /// Largest memory limit a call may ask for.
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "2g")]
    pub(crate) max_memory: u64,

    /// Largest instruction budget a call may ask for.
    #[arg(long, value_name = "N", default_value_t = Limits::CEILING.fuel)]
    pub(crate) max_fuel: u64,

    /// Runs at a time; as many as the machine has cores if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) concurrency: Option<u16>,

    /// Calls that wait for a run to end; more are refused as busy.
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(crate) queue: u16,
}

impl Serving {
    /// What a call may ask for at most.
    pub(crate) fn ceilings(&self) -> Limits {
        Limits {
            wall_clock: self.max_timeout,
            memory: self.max_memory,
            fuel: self.max_fuel,
            ..self.limits.limits()
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Packages {
    /// Packages the code may import, separated by commas; may be given more than once.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) deps: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct LimitArguments {
    /// Wall-clock limit, for example 500ms, 10s or 2m.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30s")]
    pub(crate) timeout: Duration,

    /// Memory limit, for example 256m or 1g.
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "512m")]
    pub(crate) memory: u64,

    /// Instruction budget in metering units, an estimate of executed WebAssembly instructions.
    #[arg(long, value_name = "N", default_value_t = Limits::DEFAULT.fuel)]
    pub(crate) fuel: u64,

    /// Captured output per stream with --json; head and tail are kept beyond it.
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "1m")]
    pub(crate) output: u64,

    /// Bytes that may be written to /workspace and to /tmp.
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "256m")]
    pub(crate) files: u64,
}

impl LimitArguments {
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            wall_clock: self.timeout,
            fuel: self.fuel,
            memory: self.memory,
            output: usize::try_from(self.output).unwrap_or(usize::MAX),
            files_bytes: self.files,
            ..Limits::DEFAULT
        }
    }
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !text.contains('\0') => Ok((name.into(), value.into())),
        _ => Err(format!("`{text}` is not of the form NAME=VALUE")),
    }
}

/// A number and a unit: `ms`, `s` (or none), `m`, `h`.
fn duration(text: &str) -> Result<Duration, String> {
    let error = || format!("`{text}` is not a duration, expected for example 500ms, 10s or 2m");
    let (number, unit) = split_unit(text);
    let seconds = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(error()),
    };
    let value: f64 = number.parse().map_err(|_| error())?;
    let duration = Duration::try_from_secs_f64(value * seconds).map_err(|_| error())?;
    if duration.is_zero() { Err(error()) } else { Ok(duration) }
}

/// A number and a unit: bytes if none, `k`, `m`, `g` (powers of 1024, `b` or `ib` may follow).
fn size(text: &str) -> Result<u64, String> {
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
