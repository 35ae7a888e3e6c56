//! `prims-wasm example`: a small numpy program, run for real, with what it did and how long each part took.

use super::Error;
use crate::arguments::Example;
use crate::report::{exit_status, status};
use crate::settings::Settings;
use crate::{console, setup};
use prims_interpreter::{RunRequest, Wanted};
use prims_sandbox::{Exit, Invocation};
use std::path::Path;
use std::time::Instant;

/// The program. It lives in a file of its own, so that people can read and run it.
const PROGRAM: &str = include_str!("../../../examples/numpy_example.py");

pub(super) fn example(arguments: &Example, cache_dir: Option<&Path>) -> Result<u8, Error> {
    let began = Instant::now();
    let settings = Settings::load_local(&arguments.settings)?;
    let interpreter = setup::for_command(cache_dir, &settings, &arguments.packages.files)?;
    let lock = setup::lock(&arguments.packages)?;
    let prepared = interpreter.prepare_for(&Wanted {
        requirements: &settings.packages.deps,
        lock: lock.clone(),
        ..Wanted::default()
    })?;
    if !prepared.packages.iter().any(|(name, _)| name == "numpy") {
        console::note("the example uses numpy, which is not among its packages: add `--deps numpy`");
        return Ok(status::RAISED);
    }
    let ready = began.elapsed();
    console::out("The program:\n\n");
    for line in PROGRAM.lines() {
        console::out(&format!("    {line}\n"));
    }
    console::out("\nIts output, from a fresh and isolated interpreter:\n\n");
    let request = RunRequest {
        requirements: settings.packages.deps.clone(),
        lock,
        invocation: Invocation {
            filename: "numpy_example.py".into(),
            sink: Some(console::live()),
            ..Invocation::new(PROGRAM)
        },
    };
    let report = interpreter.run(&request)?;
    let (outcome, again) = (report.outcome, {
        let quiet = Invocation {
            sink: None,
            ..request.invocation.clone()
        };
        prepared.image.run(&quiet).map_err(prims_interpreter::Error::from)?
    });
    match &outcome.exit {
        Exit::Completed(Some(value)) => console::out(&format!("\nIts value: {}\n", value.repr)),
        Exit::Raised(error) => console::out(&format!("\n{}\n", error.traceback)),
        _ => {}
    }
    let packages: Vec<String> = report
        .packages
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    let millis = |duration: std::time::Duration| duration.as_secs_f64() * 1e3;
    console::out(&format!(
        "\npackages                          {}\n\
         interpreter and image ready       {:.1} ms\n\
         first run                         {:.2} ms, of which {:.2} ms to make the instance\n\
         second run, again from scratch    {:.2} ms, of which {:.2} ms to make the instance\n\
         work                              {} metering units, {:.1} MiB of memory at most\n",
        packages.join(", "),
        millis(ready),
        millis(outcome.usage.wall),
        millis(outcome.usage.start),
        millis(again.usage.wall),
        millis(again.usage.start),
        outcome.usage.fuel,
        outcome.usage.peak_memory as f64 / f64::from(1 << 20),
    ));
    Ok(exit_status(&outcome.exit))
}
