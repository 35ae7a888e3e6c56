//! The tests of the whole: the real guest, through the library and through the command line.
//!
//! * [`programs`]: every Python file below `tests/programs` is run and its outcome compared with the file beside it
//! * [`cli`]: the command as a user types it
//! * [`compat`]: in the place of other servers
//! * [`isolation`]: what one run leaves must not reach another
//! * [`sessions`]: what a server keeps of its callers, restarts and killed processes
//! * [`states`]: runs that go on where another one ended
//! * [`settings`]: `prims-wasm config`
//! * [`stopping`]: deadlines, cancellation, deep recursion
//! * [`environments`]: packages that do not let themselves be imported, native modules of other builds
//! * [`native`]: C++ exceptions and jumps in packages with native code
//! * [`packages`]: packages from a folder of wheels, as a user asks for them
//! * [`mcp`]: the server, over standard streams and over HTTP
//! * [`rest`]: REST, gRPC and the MCP tool of the BeeAI code interpreter
//! * [`workspaces`]: files in and out without running code
//! * [`cache`]: a damaged cache is noticed and mended
//! * [`guest_suite`]: the tests of the guest's own package, inside the guest

mod cache;
mod cli;
mod compat;
mod environments;
mod guest_suite;
mod isolation;
mod mcp;
mod native;
mod packages;
mod programs;
mod rest;
mod sessions;
mod settings;
mod states;
mod stopping;
mod workspaces;

use prims_interpreter::{Interpreter, Prepared};
use prims_sandbox::{Exit, Invocation, Outcome};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// One interpreter for all tests of this process, on the usual cache: compiling the guest takes long.
fn interpreter() -> &'static Interpreter {
    static INTERPRETER: OnceLock<Interpreter> = OnceLock::new();
    INTERPRETER.get_or_init(|| prims_wasm::interpreter(None, None).expect("the guest compiles"))
}

/// The image for some packages.
fn prepared(packages: &[&str]) -> Prepared {
    let packages: Vec<String> = packages.iter().map(|name| (*name).to_owned()).collect();
    interpreter().prepare(&packages).expect("the packages are bundled")
}

/// The command with this package index and no other: nothing of the machine's own settings counts.
fn program(index: &Path) -> Command {
    // The cache of the library's tests is ready or being filled; the command shares it.
    prepared(&[]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_prims-wasm"));
    for name in ["PIP_EXTRA_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL"] {
        command.env_remove(name);
    }
    command
        .env("PRIMS_INDEX_URL", index)
        .env("PIP_CONFIG_FILE", "/dev/null");
    command
}

/// An index without packages, for tests that ask nobody on the network.
fn no_packages() -> PathBuf {
    let nothing = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-packages");
    std::fs::create_dir_all(&nothing).expect("a folder");
    nothing
}

/// Runs code without packages.
fn run(code: &str) -> Outcome {
    run_with(Invocation::new(code))
}

fn run_with(invocation: Invocation) -> Outcome {
    prepared(&[]).image.run(&invocation).expect("the host does its part")
}

/// The `repr` of the value, or what happened instead.
fn value(outcome: &Outcome) -> String {
    match &outcome.exit {
        Exit::Completed(Some(value)) => value.repr.clone(),
        other => format!("{other:?} {}", outcome.output.stderr.text()),
    }
}
