//! What the server keeps for its clients: sessions, files of runs, and folders on the disk.

use super::{Http, Streams, call, program};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A server that puts its temporary files into this folder.
fn with_temporary(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = program(arguments);
    command.env("TMPDIR", folder);
    command
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("it is there");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

/// The folders of servers there are.
fn kept(temporary: &Path) -> Vec<PathBuf> {
    let mut found = entries(temporary);
    found.retain(|path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("prims-server-"))
    });
    found
}

#[test]
fn what_a_run_made_of_its_folder_is_not_seen_by_the_next() {
    let mut server = Streams::start(&["--concurrency", "1"]);
    let look = "import os\n[(n, os.path.islink(n), os.stat(n).st_mtime < 10) for n in ('.', 'output', 'mounts')]";
    let untouched = json!([[".", false, false], ["output", false, false], ["mounts", false, false]]);
    for (id, code) in [
        (1, "1"),
        (3, "import os\nos.rmdir('output')\nos.symlink('./././mounts', 'output')"),
        (5, "import os\nos.rmdir('mounts')\nos.symlink('output', 'mounts')"),
        (7, "import os\nos.utime('.', (1, 1))"),
        (9, "import os\nos.utime('output', (1, 1))"),
        (11, "import os\nos.utime('mounts', (1, 1))"),
        (13, "open('a', 'w').close()"),
    ] {
        let reply = server.call(id, "run_code", json!({ "code": code }));
        assert_eq!(reply["status"], "success", "{code}: {reply}");
        let reply = server.call(id + 1, "run_code", json!({ "code": look }));
        assert_eq!(reply["return_value"], untouched, "{code}: {reply}");
    }
    let reply = server.call(15, "run_code", json!({ "code": "import os\nsorted(os.listdir())" }));
    assert_eq!(reply["return_value"], json!(["mounts", "output"]));
}

#[test]
fn a_server_that_ends_leaves_no_folder() {
    let temporary = tempfile::tempdir().expect("a folder");
    let mut server = Streams::of(with_temporary(temporary.path(), &["stdio"]));
    let session = server.call(1, "create_session", json!({}))["session_id"].clone();
    let arguments = json!({ "session_id": session, "path": "a", "content": "x" });
    assert_eq!(server.call(2, "write_file", arguments)["size"], 1);
    assert_eq!(kept(temporary.path()).len(), 1);
    assert_eq!(server.end().code, Some(0));
    assert_eq!(kept(temporary.path()), Vec::<PathBuf>::new());

    let data = temporary.path().join("data");
    let data = data.to_str().expect("a path of text");
    let arguments = ["streamable-http", "--port", "0", "--data-dir", data];
    let mut server = Http::of(with_temporary(temporary.path(), &arguments));
    server.post(&super::run(1, "open('output/a', 'w').close()"), &[]);
    assert_eq!(kept(temporary.path()).len(), 1);
    let killed = Command::new("kill")
        .args(["-TERM", &server.child.id().to_string()])
        .status();
    assert!(killed.is_ok_and(|status| status.success()));
    assert_eq!(super::ended(&mut server.child).code(), Some(0));
    assert_eq!(kept(temporary.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_run_whose_files_have_no_place_leaves_no_folder() {
    let temporary = tempfile::tempdir().expect("a folder");
    let mut server = Streams::of(with_temporary(temporary.path(), &["stdio"]));
    let files = json!([{ "path": "a", "content": "x" }, { "path": "a/b", "content": "x" }]);
    let reply = server.call(1, "run_code", json!({ "code": "1", "files": files }));
    assert_eq!(reply["status"], "refused", "{reply}");
    let folder = kept(temporary.path()).pop().expect("the server's folder");
    // Sessions may have been opened meanwhile; removing is not waited for.
    let began = Instant::now();
    while entries(&folder).iter().any(|path| !path.ends_with("sessions")) {
        assert!(began.elapsed() < super::DEADLINE, "{:?}", entries(&folder));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_lock_that_a_server_would_ignore_is_refused() {
    for command in ["stdio", "streamable-http"] {
        let output = program(&[command, "--lock", "pylock.toml"])
            .output()
            .expect("it starts");
        assert_eq!(output.status.code(), Some(2), "{command}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("--lock"), "{said}");
    }
}

#[test]
fn who_waits_for_a_session_keeps_nobody_from_files() {
    let mut server = Streams::start(&["--concurrency", "1"]);
    let mut session = || server.call(1, "create_session", json!({}))["session_id"].clone();
    let (one, other) = (session(), session());
    let level = json!({ "jsonrpc": "2.0", "id": 2, "method": "logging/setLevel", "params": { "level": "info" } });
    server.ask(&level);
    let code = "print('begun', flush=True)\nwhile True: pass";
    server.send(&call(3, "run_code", json!({ "code": code, "session_id": one })));
    assert_eq!(server.receive()["params"]["data"], "begun");
    // More than calls may touch files at a time.
    for id in 4..24 {
        let tool = if id % 2 == 0 { "fork_session" } else { "reset_session" };
        server.send(&call(id, tool, json!({ "session_id": one })));
    }
    // Time to get in each other's way; that they do not does not depend on it.
    std::thread::sleep(Duration::from_millis(300));
    server.send(&call(24, "list_dir", json!({ "session_id": other })));
    assert_eq!(server.receive()["id"], 24);
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 3 } });
    server.send(&cancel);
    for _ in 4..24 {
        let answer = server.receive();
        assert_eq!(answer["result"]["isError"], false, "{answer}");
    }
}

#[test]
fn being_listed_is_no_use_and_being_read_is() {
    let mut server = Streams::start(&[]);
    let made = server.call(1, "create_session", json!({}));
    let arguments = json!({ "session_id": made["session_id"], "path": "output/a", "content": "x" });
    server.call(2, "write_file", arguments);
    let mut listed = |id| server.call(id, "list_sessions", json!({}))["sessions"][0].clone();
    let first = listed(3);
    assert_eq!(first["size"], 1, "{first}");
    std::thread::sleep(Duration::from_millis(1100));
    let resources = json!({ "jsonrpc": "2.0", "id": 4, "method": "resources/list" });
    let found = server.ask(&resources);
    assert_eq!(found["result"]["resources"][0]["name"], "a", "{found}");
    let mut listed = |id| server.call(id, "list_sessions", json!({}))["sessions"][0].clone();
    listed(5);
    let second = listed(6);
    assert_eq!(second["expires"], first["expires"]);
    server.call(7, "list_dir", json!({ "session_id": made["session_id"] }));
    let third = server.call(8, "list_sessions", json!({}))["sessions"][0].clone();
    assert!(third["expires"].as_str() > first["expires"].as_str(), "{third}");
}

#[test]
fn what_is_appended_counts_once() {
    let mut server = Streams::start(&["--files", "1m"]);
    let session = server.call(1, "create_session", json!({}))["session_id"].clone();
    let mut write = |id, path: &str, bytes: usize, append: bool| {
        let content = "x".repeat(bytes);
        let arguments = json!({ "session_id": session, "path": path, "content": content, "append": append });
        server.call(id, "write_file", arguments)
    };
    assert_eq!(write(2, "a", 700_000, false)["size"], 700_000);
    assert_eq!(write(3, "a", 100_000, true)["size"], 800_000);
    let full = write(4, "a", 300_000, true);
    assert_eq!(full["error"]["type"], "quota", "{full}");
    assert_eq!(write(5, "new/b", 10, true)["size"], 10);
    assert_eq!(write(6, "new/b", 0, true)["size"], 10);
    let failed = write(7, "new", 1, true);
    assert_eq!(failed["error"]["type"], "not_found", "{failed}");
}

#[test]
fn a_reset_session_has_the_packages_it_was_made_with() {
    let mut server = Streams::start(&[]);
    let made = server.call(1, "create_session", json!({ "stateful": true }));
    let session = made["session_id"].clone();
    let mut run = |id, code: &str, requirements: Value| {
        let arguments = json!({ "session_id": session, "code": code, "requirements": requirements });
        server.call(id, "run_code", arguments)
    };
    let reply = run(2, "import numpy as np\na = np.arange(3)", json!(["numpy"]));
    assert_eq!(reply["environment"][0]["name"], "numpy", "{reply}");
    let reply = run(3, "int(a.sum())", json!([]));
    assert_eq!(reply["return_value"], 3, "{reply}");
    let refused = run(4, "1", json!(["numpy>=2"]));
    assert_eq!(refused["error"]["type"], "other_packages", "{refused}");
    let reset = server.call(5, "reset_session", json!({ "session_id": session }));
    assert_eq!(reset["requirements"], json!([]), "{reset}");
    let reply = server.call(6, "run_code", json!({ "session_id": session, "code": "1" }));
    assert_eq!(
        (&reply["return_value"], &reply["environment"]),
        (&json!(1), &json!([])),
        "{reply}"
    );
}

#[test]
fn sessions_get_what_their_code_asks_for_and_hear_what_could_not_be_had() {
    let mut server = Streams::start(&["--auto-deps"]);
    for (id, stateful) in [(1, false), (5, true)] {
        let session = server.call(id, "create_session", json!({ "stateful": stateful }))["session_id"].clone();
        let mut run = |id, code: &str| server.call(id, "run_code", json!({ "session_id": session, "code": code }));
        let code = "try:\n    import nobody_has_this\nexcept ImportError:\n    import numpy\n'ran'";
        let reply = run(id + 1, code);
        assert_eq!(reply["return_value"], "ran", "{reply}");
        let feedback = reply["feedback"].as_str().unwrap_or_default();
        assert!(feedback.contains("`nobody-has-this`"), "{reply}");
        // It is said once.
        let reply = run(id + 2, "'again'");
        assert_eq!(
            (&reply["return_value"], &reply["feedback"]),
            (&json!("again"), &Value::Null),
            "{reply}"
        );
    }
    let mut server = Streams::start(&[]);
    let session = server.call(1, "create_session", json!({ "stateful": true }))["session_id"].clone();
    let mut run = |id, code: &str| server.call(id, "run_code", json!({ "session_id": session, "code": code }));
    let block = "# /// script\n# dependencies = [\"numpy\"]\n# ///\nimport numpy as np\nn = int(np.ones(4).sum())";
    let reply = run(2, block);
    assert_eq!(reply["status"], "success", "{reply}");
    let reply = run(3, "int(np.full(3, n).sum())");
    assert_eq!(reply["return_value"], 12, "{reply}");
}

#[test]
fn on_standard_streams_sessions_of_an_earlier_process_are_listed() {
    let data = tempfile::tempdir().expect("a folder");
    let data = data.path().to_str().expect("a path of text");
    let mut server = Streams::start(&["--data-dir", data]);
    let session = server.call(1, "create_session", json!({}))["session_id"].clone();
    assert_eq!(server.end().code, Some(0));
    let mut server = Streams::start(&["--data-dir", data]);
    let listed = server.call(1, "list_sessions", json!({}));
    assert_eq!(listed["sessions"][0]["session_id"], session, "{listed}");
}

#[test]
fn links_are_listed_as_links() {
    let mut server = Streams::start(&[]);
    let session = server.call(1, "create_session", json!({}))["session_id"].clone();
    let code = "import os\nos.symlink('./output', 'link')";
    let made = server.call(2, "run_code", json!({ "session_id": session, "code": code }));
    assert_eq!(made["status"], "success", "{made}");
    let answer = server.ask(&call(3, "list_dir", json!({ "session_id": session })));
    let listed = &answer["result"]["structuredContent"]["result"];
    let kinds: Vec<_> = (0..3).map(|at| (&listed[at]["name"], &listed[at]["type"])).collect();
    let (link, directory) = (json!("link"), json!("directory"));
    let expected = [
        (&link, &link),
        (&json!("mounts"), &directory),
        (&json!("output"), &directory),
    ];
    assert_eq!(kinds, expected, "{answer}");
    assert_eq!(answer["result"]["content"][0]["text"], "link (link)\nmounts/\noutput/");
}

#[test]
fn uploads_have_the_size_that_the_operator_says() {
    for (most, bytes, kind) in [
        ("1k", 1025, "too_large"),
        ("1k", 1024, "upload_failed"),
        ("21m", 20 << 20 | 1, "upload_failed"),
        ("21m", 21 << 20 | 1, "too_large"),
    ] {
        let mut server = Streams::start(&["--upload-max", most]);
        let session = server.call(1, "create_session", json!({}))["session_id"].clone();
        let code = format!("open('output/a', 'wb').truncate({bytes})");
        let made = server.call(2, "run_code", json!({ "session_id": session, "code": code }));
        assert_eq!(made["artifacts"][0]["size"], bytes, "{made}");
        // Nobody may be reached there, which is said once the file was read.
        let url = "https://127.0.0.1/x";
        let arguments = json!({ "session_id": session, "relative_path": "output/a", "presigned_url": url });
        let refused = server.call(3, "persist_artifact", arguments);
        assert_eq!(refused["error"]["type"], kind, "{most} {bytes}: {refused}");
    }
}
