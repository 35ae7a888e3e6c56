//! Official clients: they are installed once into `target/clients` from the package registries, and drive the server over both transports.

use super::Http;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn installed_in() -> PathBuf {
    root().join("target/clients")
}

/// Runs a command and returns what it wrote to stdout; anything but success is a failure of the test that shows all of it.
#[track_caller]
pub(crate) fn must(command: &mut Command, hint: &str) -> String {
    let Output { status, stdout, stderr } = command
        .output()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}; {hint}"));
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}; {hint}\n{out}\n{err}");
    out.into_owned()
}

/// Installs what a file asks for into a folder, unless that is what is there.
fn install(wanted: &str, folder: &Path, install: impl FnOnce()) {
    // One at a time: tests that need the same clients begin together.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _alone = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let stamp = folder.join("installed.txt");
    let wanted = std::fs::read_to_string(root().join("tests/clients").join(wanted)).expect("the list is there");
    if std::fs::read_to_string(&stamp).is_ok_and(|there| there == wanted) {
        return;
    }
    std::fs::create_dir_all(folder).expect("a folder");
    install();
    std::fs::write(stamp, wanted).expect("it can be written");
}

/// A Python interpreter with what a list asks for.
pub(in super::super) fn python(list: &str, name: &str) -> PathBuf {
    let folder = installed_in().join(name);
    let python = folder.join("bin/python");
    install(list, &folder, || {
        let hint = "the tests of the server need Python 3.10 or newer with venv, and pip with a package index";
        must(Command::new("python3").arg("-m").arg("venv").arg(&folder), hint);
        let requirements = root().join("tests/clients").join(list);
        let arguments = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        must(Command::new(&python).args(arguments).arg(requirements), hint);
    });
    python
}

/// The one with the official client.
pub(crate) fn official() -> PathBuf {
    python("requirements.txt", "python")
}

/// The folder with the official clients for Node, and a Node new enough for all of them.
pub(super) fn node() -> (PathBuf, PathBuf) {
    let folder = installed_in().join("node");
    install("package.json", &folder, || {
        let hint = "the tests of the server need Node 20 or newer, and npm with a package registry";
        let list = root().join("tests/clients/package.json");
        std::fs::copy(list, folder.join("package.json")).expect("it can be copied");
        let arguments = ["install", "--no-audit", "--no-fund", "--loglevel=error"];
        must(Command::new("npm").args(arguments).current_dir(&folder), hint);
    });
    (folder.join("node_modules/node/bin/node"), folder)
}

fn server() -> Http {
    Http::start(&["--concurrency", "1"])
}

#[track_caller]
fn toured(output: &str) {
    assert_eq!(output.trim().lines().last(), Some("done"), "{output}");
}

#[test]
fn the_python_client_takes_a_tour() {
    let tour = root().join("tests/clients/tour.py");
    super::super::prepared(&["numpy"]);
    for era in ["legacy", "auto"] {
        let mut streams = Command::new(official());
        streams
            .arg(&tour)
            .args(["stdio", era, env!("CARGO_BIN_EXE_prims-wasm")]);
        toured(&must(&mut streams, "the tour over standard streams"));
        let server = server();
        let mut http = Command::new(official());
        http.arg(&tour).args(["http", era, &server.url()]);
        toured(&must(&mut http, "the tour over HTTP"));
    }
}

#[test]
fn the_snippets_of_the_documents_run() {
    let document = std::fs::read_to_string(root().join("docs/clients.md")).expect("the document is there");
    let snippets = document
        .split("```python\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    let program = Path::new(env!("CARGO_BIN_EXE_prims-wasm"));
    let folder = program.parent().expect("a folder").display();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap_or_default());
    super::super::prepared(&["numpy"]);
    let mut count = 0;
    for (snippet, says) in snippets.zip(["4.5", "5050", "1267650600228229401496703205376", "6"]) {
        let python = if snippet.contains("from mcp import") {
            official()
        } else {
            python("frameworks.txt", "frameworks")
        };
        let mut command = Command::new(python);
        let said = must(command.args(["-c", snippet]).env("PATH", &path), snippet);
        assert!(said.contains(says), "{snippet}\n{said}");
        count += 1;
    }
    assert_eq!(count, 4);
}

#[test]
fn the_typescript_client_takes_a_tour() {
    let (node, folder) = node();
    let tour = root().join("tests/clients/tour.mjs");
    super::super::prepared(&["numpy"]);
    let server = server();
    for (transport, target) in [("stdio", env!("CARGO_BIN_EXE_prims-wasm")), ("http", &server.url())] {
        let mut command = Command::new(&node);
        command.current_dir(&folder).arg(&tour).args([transport, target]);
        toured(&must(&mut command, transport));
    }
}

#[test]
fn the_inspector_finds_nothing_wrong() {
    let (node, folder) = node();
    let server = server();
    let inspect = |target: &[&str], arguments: &[&str]| {
        let mut command = Command::new(&node);
        let inspector = folder.join("node_modules/.bin/mcp-inspector");
        command
            .current_dir(&folder)
            .arg(inspector)
            .arg("--cli")
            .args(target)
            .args(arguments);
        let text = must(&mut command, "the inspector");
        serde_json::from_str::<serde_json::Value>(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    };
    let url = server.url();
    let targets: [&[&str]; 3] = [
        &[env!("CARGO_BIN_EXE_prims-wasm"), "stdio"],
        &[&url, "--transport", "http", "--protocol-era", "legacy"],
        &[&url, "--transport", "http", "--protocol-era", "modern"],
    ];
    for target in targets {
        let tools = inspect(target, &["--method", "tools/list", "--strict"]);
        assert_eq!(tools["tools"].as_array().map(Vec::len), Some(13), "{target:?}");
        let run = [
            "--method",
            "tools/call",
            "--tool-name",
            "run_code",
            "--tool-arg",
            "code=6 * 7",
        ];
        assert_eq!(
            inspect(target, &run)["structuredContent"]["return_value"],
            42,
            "{target:?}"
        );
        let resources = inspect(target, &["--method", "resources/list"]);
        assert_eq!(resources["resources"], serde_json::json!([]), "{target:?}");
    }
}
