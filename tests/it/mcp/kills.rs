//! A server that is killed in the middle of its work, by the script that does it a hundred times for the benchmarks.

use super::clients::{must, root};
use super::{Streams, program};
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How often; `PRIMS_TEST_KILLS` says otherwise.
const KILLS: &str = "10";

#[test]
fn a_server_that_is_killed_loses_nothing_it_had_answered() {
    drop(program(&[]));
    let kills = std::env::var("PRIMS_TEST_KILLS").unwrap_or_else(|_| KILLS.to_owned());
    let mut script = Command::new("python3");
    script
        .arg(root().join("scripts/server-figures"))
        .args(["--only", "kills", "--kills", &kills])
        .args(["--prims", env!("CARGO_BIN_EXE_prims-wasm")]);
    let said = must(&mut script, "the script needs Python 3.9 or newer");
    assert!(said.contains(&format!("{kills} kills: ")), "{said}");
    assert!(said.contains(" 0 problems"), "{said}");
    for kind in ["commits", "runs", "writes", "uploads"] {
        assert!(!said.contains(&format!(" 0 {kind}")), "{said}");
    }
}

/// Names in a folder, once they are as few as expected: threads that clean up end a moment later than the answer comes.
fn names_in(folder: &Path, expected: usize) -> usize {
    let count = || std::fs::read_dir(folder).expect("it is there").count();
    for _ in 0..200 {
        if count() == expected {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    count()
}

#[test]
fn temporary_files_go_with_the_server_or_with_the_next_one() {
    let base = tempfile::tempdir().expect("a folder");
    let start = || {
        let environment = [("TMPDIR", base.path().to_str().expect("text"))];
        let mut server = Streams::start_with(&[], &environment);
        let code = "open('/tmp/y', 'w').write('y')\nopen('output/x', 'w').write('x')";
        assert_eq!(server.call(1, "run_code", json!({ "code": code }))["return_value"], 1);
        server
    };
    let mut killed = start();
    killed.child.kill().expect("it runs");
    drop(killed.wait());
    assert_eq!(names_in(base.path(), 1), 1);
    let other = start();
    assert_eq!(names_in(base.path(), 1), 1);
    assert_eq!(start().end().code, Some(0));
    assert_eq!(names_in(base.path(), 1), 1);
    assert_eq!(other.end().code, Some(0));
    assert_eq!(names_in(base.path(), 0), 0);
}
