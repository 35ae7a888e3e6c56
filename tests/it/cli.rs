//! The command as a user types it: output, messages and exit status.

use std::io::Write;
use std::process::{Output, Stdio};

fn prims(arguments: &[&str]) -> Output {
    super::program(&super::no_packages())
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the command starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn expect(arguments: &[&str], status: i32, stdout: &str, stderr: &str) {
    let output = prims(arguments);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{arguments:?}\n{out}\n{err}");
    assert_eq!(out, stdout, "{arguments:?}\n{err}");
    assert!(err.contains(stderr), "{arguments:?}: expected {stderr:?} in {err}");
}

#[test]
fn a_value_is_printed_as_a_repl_does() {
    expect(&["run", "-c", "1 + 1"], 0, "2\n", "");
    expect(&["run", "-c", "print('a'); 'b'"], 0, "a\n'b'\n", "");
    expect(&["run", "-c", "x = 1"], 0, "", "");
    expect(&["run", "-c", "None"], 0, "", "");
}

#[test]
fn exit_status() {
    expect(&["run", "-c", "1/0"], 1, "", "ZeroDivisionError: division by zero");
    expect(&["run", "-c", "import sys; print('a'); sys.exit(7)"], 7, "a\n", "");
    expect(&["run", "-c", "import sys; sys.exit('bye')"], 1, "", "bye");
    expect(&["run", "-c", "import os; os._exit(9)"], 9, "", "");
    expect(
        &["run", "--timeout", "300ms", "-c", "print(1)\nwhile True: pass"],
        124,
        "1\n",
        "--timeout",
    );
    expect(
        &["run", "--fuel", "5000000", "-c", "while True: pass"],
        124,
        "",
        "--fuel",
    );
    expect(&["run", "-c", "import os; os.abort()"], 134, "", "crashed");
    expect(
        &["run", "--memory", "64m", "-c", "x = bytearray(1 << 30)"],
        1,
        "",
        "MemoryError",
    );
}

#[test]
fn code_from_a_file_and_from_standard_input() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hello.py");
    std::fs::write(&file, "import sys\nprint(__file__, sys.argv)\nraise ValueError('x')\n").expect("a file");
    let file = file.to_str().expect("a UTF-8 path");
    let output = prims(&["run", file, "--", "a", "b"]);
    assert_eq!(output.status.code(), Some(1));
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(
        out.contains("/workspace/hello.py") && out.contains("'a', 'b']"),
        "{out}"
    );
    assert!(
        err.contains("hello.py\", line 3") && err.contains("raise ValueError('x')"),
        "{err}"
    );
    assert!(!err.contains("prims_runtime"), "{err}");

    let mut child = super::program(&super::no_packages())
        .args(["run", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command starts");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(b"6 * 7")
        .expect("the code is taken");
    assert_eq!(text(&child.wait_with_output().expect("it ends").stdout), "42\n");
}

#[test]
fn standard_input_reaches_the_code() {
    let mut child = super::program(&super::no_packages())
        .args(["run", "-c", "input() + input()"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command starts");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all("a\nü\n".as_bytes())
        .expect("the input is taken");
    assert_eq!(text(&child.wait_with_output().expect("it ends").stdout), "'aü'\n");
}

#[test]
fn an_open_pipe_does_not_keep_code_waiting_that_reads_nothing() {
    let mut child = super::program(&super::no_packages())
        .args(["run", "-c", "1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let pipe = child.stdin.take();
    assert!(child.wait().expect("it ends").success());
    drop(pipe);
}

#[test]
fn environment_and_workspace() {
    expect(
        &[
            "run",
            "--env",
            "A=b=c",
            "-c",
            "import os; print(os.environ['A'], 'HOME' in os.environ)",
        ],
        0,
        "b=c True\n",
        "",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("a UTF-8 path");
    expect(
        &[
            "run",
            "--workspace",
            path,
            "-c",
            "print(open('out.txt', 'w').write('kept'))",
        ],
        0,
        "4\n",
        "",
    );
    assert_eq!(
        std::fs::read_to_string(folder.path().join("out.txt")).expect("it was written"),
        "kept"
    );
    expect(
        &["run", "--mounts", path, "-c", "print(open('/mounts/out.txt').read())"],
        0,
        "kept\n",
        "",
    );
    expect(
        &["run", "--mounts", path, "-c", "open('/mounts/out.txt', 'w')"],
        1,
        "",
        "Read-only file system",
    );
}

#[test]
fn the_report_as_json() {
    let output = prims(&[
        "run",
        "--json",
        "-c",
        "import sys\nprint('out'); print('err', file=sys.stderr)\n{'a': [1, 2.5, None]}",
    ]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["status"], "completed");
    assert_eq!(report["stdout"], "out\n");
    assert_eq!(report["stderr"], "err\n");
    assert_eq!(report["value"]["json"], serde_json::json!({"a": [1, 2.5, null]}));
    assert!(report["usage"]["fuel"].as_u64().is_some_and(|fuel| fuel > 0));
    let output = prims(&["run", "--json", "-c", "1/0"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(report["error"]["type"], "ZeroDivisionError");
    assert_eq!(report["error"]["line"], 1);
}

#[test]
fn bad_arguments_say_what_is_wrong() {
    expect(&["run", "nowhere.py"], 2, "", "cannot read `nowhere.py`");
    expect(&["run"], 2, "", "required");
    expect(
        &["run", "--timeout", "soon", "-c", "1"],
        2,
        "",
        "expected a time such as 500ms",
    );
    expect(
        &["run", "--memory", "lots", "-c", "1"],
        2,
        "",
        "expected a size such as 64k",
    );
    expect(&["run", "--memory", "1m", "-c", "1"], 2, "", "this image starts with");
    expect(
        &["run", "--timeout", "2h", "-c", "1"],
        2,
        "",
        "--timeout is 2h, at most 1h is possible",
    );
    expect(&["run", "--env", "X", "-c", "1"], 2, "", "NAME=VALUE");
    expect(&["run", "--deps", "numpi", "-c", "1"], 2, "", "numpy");
    expect(&["run", "--deps", "numpy==1.0", "-c", "1"], 2, "", "2.4.6");
    expect(
        &["run", "--deps", "git+https://example.org/x", "-c", "1"],
        2,
        "",
        "git+https",
    );
    expect(&["run", "-c", "def f(:"], 1, "", "SyntaxError");
    expect(
        &["--cache-dir", "/proc/nowhere", "run", "-c", "1"],
        2,
        "",
        "PRIMS_CACHE_DIR",
    );
}

#[test]
fn the_example_runs_and_says_what_it_needs() {
    let output = prims(&["example", "--deps", "numpy"]);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    assert!(
        out.contains("strongest frequencies") && out.contains("second run"),
        "{out}"
    );
    let output = prims(&["example"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--deps numpy"));
}

#[test]
fn warm_prepares_everything() {
    let output = prims(&["warm"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("ready in"));
}

#[test]
fn code_and_input_have_a_size() {
    const MOST: usize = 64 << 20;
    let run = |arguments: &[&str], begin: &[u8]| {
        let mut child = super::program(&super::no_packages())
            .arg("run")
            .args(arguments)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let mut input = begin.to_vec();
        input.resize(MOST + 1, b'#');
        // It may end before it has read all.
        let _ = child.stdin.take().expect("a pipe").write_all(&input);
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("more than {MOST} bytes")), "{said}");
    };
    run(&["-"], b"1 #");
    run(&["-c", "input()"], b"x\n");
}
