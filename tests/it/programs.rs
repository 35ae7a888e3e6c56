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
//! Addresses in reprs are shown as `0x...`, because they change with every image.
//!
//! `BLESS=1 cargo test` writes the `.out` files instead of comparing; read the difference before you commit it. `PROGRAMS=errors/`
//! runs only the programs whose path contains that text.

use prims_sandbox::{Exit, Invocation, Limits, Outcome};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[test]
fn every_program_does_what_its_file_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let programs = files_below(&root, "py");
    assert!(
        programs.len() > 200,
        "only {} programs below {}",
        programs.len(),
        root.display()
    );
    for expected in files_below(&root, "out") {
        assert!(
            expected.with_extension("py").exists(),
            "{} has no program",
            expected.display()
        );
    }
    let chosen = std::env::var("PROGRAMS").unwrap_or_default();
    let bless = std::env::var_os("BLESS").is_some();
    // Two at a time: half of them wait more than they compute.
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(String::new()));
    let work = || {
        while let Some(path) = programs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let name = path.strip_prefix(&root).unwrap_or(path).to_string_lossy();
            if !name.contains(&chosen) {
                continue;
            }
            let (found, expected) = (run(path), path.with_extension("out"));
            if bless {
                std::fs::write(&expected, &found).expect("the .out file can be written");
                continue;
            }
            let wanted = std::fs::read_to_string(&expected).unwrap_or_default();
            if found != wanted {
                let mut failures = failures.lock().expect("nothing panics while it is held");
                let _ = write!(failures, "==== {name}\n{}\n", difference(&wanted, &found));
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    let failures = failures.into_inner().expect("nothing panics while it is held");
    assert!(failures.is_empty(), "- expected, + found\n{failures}");
}

fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in std::fs::read_dir(folder).expect("the folder can be listed").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The lines that differ, without the equal ones before and after them.
fn difference(wanted: &str, found: &str) -> String {
    let (wanted, found): (Vec<&str>, Vec<&str>) = (wanted.lines().collect(), found.lines().collect());
    let same = wanted.iter().zip(&found).take_while(|(a, b)| a == b).count();
    let rest = wanted[same..].iter().rev().zip(found[same..].iter().rev());
    let tail = rest.take_while(|(a, b)| a == b).count();
    let mut text = if same > 0 {
        format!("  ({same} equal lines)\n")
    } else {
        String::new()
    };
    let changed = |sign: char, lines: &[&str]| -> String {
        let shown = lines[same..lines.len() - tail].iter().take(40);
        shown
            .map(|line| format!("{sign} {}\n", line.chars().take(400).collect::<String>()))
            .collect()
    };
    text.push_str(&changed('-', &wanted));
    text.push_str(&changed('+', &found));
    text
}

fn run(path: &Path) -> String {
    let code = std::fs::read_to_string(path).expect("a program is text");
    let (mut packages, mut invocation) = (vec![], Invocation::new(code.clone()));
    for line in code.lines().map_while(|line| line.strip_prefix("# ")) {
        let Some((what, how)) = line.split_once(": ") else {
            continue;
        };
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
    describe(
        &super::prepared(&packages)
            .image
            .run(&invocation)
            .expect("the host does its part"),
    )
}

fn limits(how: &str) -> Limits {
    let mut limits = Limits::DEFAULT;
    for limit in how.split_whitespace() {
        let (name, value) = limit.split_once('=').expect("limits: name=value");
        let number = || {
            value
                .trim_end_matches(|c: char| c.is_alphabetic())
                .parse::<u64>()
                .expect("a number")
        };
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
                if let Some(rich) = &value.rich {
                    line("rich", &format!("{} {}", rich.mime, rich.data));
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
        (
            "stdout",
            outcome.output.stdout.text(),
            outcome.output.stdout.truncated(),
        ),
        (
            "stderr",
            outcome.output.stderr.text(),
            outcome.output.stderr.truncated(),
        ),
    ] {
        if !bytes.is_empty() {
            let _ = write!(text, "---- {name}{}\n{bytes}", if truncated { " (cut)" } else { "" });
            if !bytes.ends_with('\n') {
                text.push_str("(no newline)\n");
            }
        }
    }
    without_addresses(&text)
}

/// The text with the digits of what is printed as an address (`at 0x1dab208`) replaced.
fn without_addresses(text: &str) -> String {
    let mut pieces = text.split(" at 0x");
    let mut without = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        without.push_str(" at 0x...");
        without.push_str(piece.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
    }
    without
}
