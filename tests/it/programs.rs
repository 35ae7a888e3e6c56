//! Every `tests/programs/**/*.py` is run in a fresh sandbox; what happened is compared with the `.out` file beside it.
//!
//! A program may begin with comments that say how it is run:
//!
//! ```text
//! # deps: numpy
//! # limits: timeout=300ms memory=64m fuel=1000000 output=1k files=1m files_count=10
//! # stdin: two\nlines
//! # env: NAME=value
//! # argv: a b
//! ```
//!
//! `BLESS=1 cargo test` writes the `.out` files instead of comparing; read the difference before you commit it.

use prims_sandbox::{Exit, Invocation, Limits, Outcome};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[test]
fn every_program_does_what_its_file_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let programs = programs_below(&root);
    assert!(programs.len() > 20, "only {} programs below {}", programs.len(), root.display());
    let mut failures = String::new();
    for path in &programs {
        let name = path.strip_prefix(&root).unwrap_or(path).display();
        let found = run(path);
        let expected = path.with_extension("out");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&expected, &found).expect("the .out file can be written");
            continue;
        }
        let wanted = std::fs::read_to_string(&expected).unwrap_or_default();
        if found != wanted {
            let _ = write!(failures, "==== {name}\n---- expected\n{wanted}\n---- found\n{found}\n");
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

fn programs_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in std::fs::read_dir(folder).expect("the folder can be listed").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(programs_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "py") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn run(path: &Path) -> String {
    let code = std::fs::read_to_string(path).expect("a program is text");
    let (mut packages, mut invocation) = (vec![], Invocation::new(code.clone()));
    for line in code.lines().map_while(|line| line.strip_prefix("# ")) {
        let Some((what, how)) = line.split_once(": ") else { continue };
        match what {
            "deps" => packages = how.split(',').map(str::trim).collect(),
            "limits" => invocation.limits = limits(how),
            "stdin" => invocation.stdin = Some(how.replace("\\n", "\n")),
            "env" => {
                let (name, value) = how.split_once('=').expect("env: NAME=value");
                invocation.env.insert(name.into(), value.into());
            }
            "argv" => invocation.argv.extend(how.split(' ').map(str::to_owned)),
            _ => {}
        }
    }
    describe(&super::prepared(&packages).image.run(&invocation).expect("the host does its part"))
}

fn limits(how: &str) -> Limits {
    let mut limits = Limits::DEFAULT;
    for limit in how.split_whitespace() {
        let (name, value) = limit.split_once('=').expect("limits: name=value");
        let number = || value.trim_end_matches(|c: char| c.is_alphabetic()).parse::<u64>().expect("a number");
        let bytes = || match value.chars().last() {
            Some('k') => number() << 10,
            Some('m') => number() << 20,
            _ => number(),
        };
        match name {
            "timeout" => limits.wall_clock = Duration::from_millis(number()),
            "memory" => limits.memory = bytes(),
            "fuel" => limits.fuel = number(),
            "output" => limits.output = bytes() as usize,
            "result" => limits.result = bytes() as usize,
            "files" => limits.files_bytes = bytes(),
            "files_count" => limits.files_count = number(),
            other => panic!("no limit is called {other}"),
        }
    }
    limits
}

fn describe(outcome: &Outcome) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name}: {value}");
    };
    match &outcome.exit {
        Exit::Completed(value) => {
            line("exit", "completed");
            if let Some(value) = value {
                line("value", &value.repr);
                if value.repr_truncated {
                    line("value", "(cut)");
                }
                if let Some(json) = &value.json {
                    line("json", &json.to_string());
                }
            }
        }
        Exit::Raised(error) => {
            line("exit", "raised");
            line("error", &format!("{}.{}: {}", error.module, error.kind, error.message));
            line("traceback", &format!("\n{}", error.traceback.trim_end()));
        }
        Exit::Exited(code) => line("exit", &format!("exited {code}")),
        Exit::Stopped(reason) => line("exit", &format!("stopped {}", reason.as_str())),
        Exit::Crashed(crash) => line("exit", &format!("crashed {}", crash.message)),
    }
    for (name, bytes, truncated) in [
        ("stdout", outcome.output.stdout.text(), outcome.output.stdout.truncated()),
        ("stderr", outcome.output.stderr.text(), outcome.output.stderr.truncated()),
    ] {
        if !bytes.is_empty() {
            let _ = write!(text, "---- {name}{}\n{bytes}", if truncated { " (cut)" } else { "" });
            if !bytes.ends_with('\n') {
                text.push_str("(no newline)\n");
            }
        }
    }
    text
}
