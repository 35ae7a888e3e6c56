//! `prims-wasm run`: code from a file, the command line or standard input, in a fresh sandbox.

use super::Error;
use crate::arguments::Run;
use crate::report::{Report, exit_status};
use crate::settings::Settings;
use crate::{console, setup};
use prims_interpreter::RunRequest;
use prims_sandbox::{Cancel, Exit, Invocation, StopReason};
use std::io::{IsTerminal, Read};
use std::path::Path;

pub(super) fn run(arguments: &Run, cache_dir: Option<&Path>) -> Result<u8, Error> {
    let settings = Settings::load_local(&arguments.settings)?;
    let (code, filename) = source(arguments)?;
    let from_stdin = arguments.file.as_deref() == Some(Path::new("-"));
    let stdin = if from_stdin { None } else { input(&code)? };
    let script = if filename == "<code>" {
        "-c".to_owned()
    } else {
        filename.clone()
    };
    let invocation = Invocation {
        filename,
        argv: std::iter::once(script).chain(arguments.args.iter().cloned()).collect(),
        env: arguments.env.iter().cloned().collect(),
        stdin,
        limits: settings.limits(),
        workspace: arguments.workspace.clone(),
        mounts: arguments.mounts.clone(),
        sink: (!arguments.json).then(console::live),
        cancel: cancelled_by_interrupt(),
        ..Invocation::new(code)
    };
    let interpreter = setup::for_command(cache_dir, &settings, &arguments.packages.files)?;
    let request = RunRequest {
        requirements: settings.packages.deps.clone(),
        lock: setup::lock(&arguments.packages)?,
        invocation,
    };
    let report = interpreter.run(&request)?;
    if !arguments.json {
        for note in &report.notes {
            console::note(note);
        }
    }
    if arguments.json {
        let json = serde_json::to_string_pretty(&Report::new(&report));
        console::out(&format!("{}\n", json.map_err(|error| Error::Usage(error.to_string()))?));
    } else {
        conclude(&report.outcome.exit);
    }
    Ok(exit_status(&report.outcome.exit))
}

/// Ctrl-C ends the run as any other stop does: what was written is shown, temporary folders are removed.
fn cancelled_by_interrupt() -> Cancel {
    let cancel = Cancel::new();
    let interrupted = cancel.clone();
    // Without a handler Ctrl-C ends the program at once, which is what it does then.
    let _ = ctrlc::set_handler(move || interrupted.cancel());
    cancel
}

/// What is left to say when the output has been streamed.
fn conclude(exit: &Exit) {
    match exit {
        Exit::Completed(Some(value)) => {
            let cut = if value.repr_truncated { " [cut]" } else { "" };
            let live = console::live();
            live(
                prims_sandbox::Stream::Stdout,
                format!("{}{cut}\n", value.repr).as_bytes(),
            );
        }
        Exit::Completed(None) | Exit::Exited(_) => {}
        Exit::Raised(error) => {
            let live = console::live();
            live(prims_sandbox::Stream::Stderr, error.traceback.as_bytes());
        }
        Exit::Stopped(reason) => console::note(match reason {
            StopReason::WallClock => "stopped: the time limit passed (--timeout)",
            StopReason::Fuel => "stopped: the instruction budget was used up (--fuel)",
            StopReason::Memory => "stopped: the memory limit was reached (--memory)",
            StopReason::Output => "stopped: more was written than the output limit allows (--output)",
            StopReason::Cancelled => "stopped: cancelled",
        }),
        Exit::Crashed(crash) => console::note(&format!("the interpreter crashed: {}", crash.message)),
    }
}

/// The code and what tracebacks call it.
fn source(arguments: &Run) -> Result<(String, String), Error> {
    if let Some(code) = &arguments.code {
        return Ok((code.clone(), "<code>".into()));
    }
    let path = arguments.file.as_deref().unwrap_or(Path::new("-"));
    let (name, bytes) = if path == Path::new("-") {
        ("<stdin>".to_owned(), read("<stdin>", std::io::stdin().lock())?)
    } else {
        let name = path.display().to_string();
        let file = std::fs::File::open(path).map_err(|source| Error::Read {
            name: name.clone(),
            source,
        })?;
        (name.clone(), read(&name, file)?)
    };
    let code = String::from_utf8(bytes).map_err(|_| Error::NotText(name))?;
    let filename = match path.file_name() {
        Some(file) if path != Path::new("-") => file.to_string_lossy().into_owned(),
        _ => "<code>".into(),
    };
    Ok((code, filename))
}

/// Standard input for the code. It is read ahead, so only if the code seems to want it: a caller that leaves its end of a pipe
/// open would otherwise keep every run waiting.
fn input(code: &str) -> Result<Option<String>, Error> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() || !["input(", "stdin", "fileinput"].iter().any(|word| code.contains(word)) {
        return Ok(None);
    }
    Ok(Some(
        String::from_utf8_lossy(&read("<stdin>", stdin.lock())?).into_owned(),
    ))
}

fn read(name: &str, from: impl Read) -> Result<Vec<u8>, Error> {
    setup::read_bounded(from, setup::MAX_TEXT).map_err(|source| Error::Read {
        name: name.to_owned(),
        source,
    })
}
