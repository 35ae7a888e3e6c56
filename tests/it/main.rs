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
mod sessions;
mod settings;
mod states;
mod stopping;
mod workspaces;

use prims_interpreter::{Interpreter, Prepared};
use prims_sandbox::{Exit, Invocation, Outcome};
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
