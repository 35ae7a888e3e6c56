//! prims-wasm as a library: `cargo run --release --example embed`.

use prims_interpreter::RunRequest;
use prims_sandbox::{Exit, Invocation, Limits};
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Compiles the interpreter the first time, maps what the cache holds after that. `None` stands for the usual cache folder
    // and for no reports of progress. An interpreter is cheap to clone and may be used from any number of threads.
    let interpreter = prims_wasm::interpreter(None, None)?;

    // One run: packages, code, limits. The call blocks until the run has ended.
    let request = RunRequest {
        requirements: vec!["numpy".into()],
        lock: None,
        invocation: Invocation {
            limits: Limits {
                wall_clock: Duration::from_secs(5),
                memory: 256 << 20,
                ..Limits::DEFAULT
            },
            env: [("NAME".into(), "embed".into())].into(),
            ..Invocation::new(
                "import os, numpy as np\nprint(os.environ['NAME'])\n{'mean': float(np.arange(10).mean())}",
            )
        },
    };
    let report = interpreter.run(&request)?;

    // What the code did is a value; `?` above was for what the host could not do.
    let outcome = report.outcome;
    let ended = match &outcome.exit {
        Exit::Completed(Some(value)) => format!("value {}, as JSON {:?}", value.repr, value.json),
        Exit::Completed(None) => "no value".into(),
        Exit::Raised(error) => error.traceback.clone(),
        Exit::Exited(code) => format!("exit status {code}"),
        Exit::Stopped(reason) => format!("stopped: {}", reason.as_str()),
        Exit::Crashed(crash) => format!("crashed: {}", crash.message),
    };
    let mut text = format!("{ended}\nstdout {:?}\n", outcome.output.stdout.text());

    // The same environment again and again: prepare once, run the image. Every run starts from the same state.
    let prepared = interpreter.prepare(&request.requirements)?;
    for code in ["import builtins; builtins.seen = 1", "hasattr(__builtins__, 'seen')"] {
        let outcome = prepared.image.run(&Invocation::new(code))?;
        if let Exit::Completed(Some(value)) = &outcome.exit {
            text += &format!("`seen` is left from the run before: {}\n", value.repr);
        }
        text += &format!("{:.2} ms\n", outcome.usage.wall.as_secs_f64() * 1e3);
    }
    std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())?;
    Ok(())
}
