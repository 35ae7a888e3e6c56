//! More than a client may send or keep.

use super::Streams;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

#[track_caller]
fn refused(server: &mut Streams, arguments: Value, field: &str) {
    let reply = server.call(1, "run_code", arguments);
    let message = reply["error"]["message"].as_str().unwrap_or_default();
    assert_eq!(reply["status"], "refused", "{reply}");
    assert!(message.contains(field), "{message}");
}

#[test]
fn code_files_and_environment_of_a_call_have_a_size() {
    let mut server = Streams::start(&[]);
    let code = |bytes: usize| json!({ "code": format!("'done'{}", "#".repeat(bytes - 6)) });
    refused(&mut server, code((1 << 20) + 1), "code");
    assert_eq!(server.call(2, "run_code", code(1 << 20))["return_value"], "done");

    let files = |count: usize| {
        let file = |at| json!({ "path": format!("f{at}"), "content": "x" });
        let files: Vec<Value> = (0..count).map(file).collect();
        json!({ "code": "import os\nlen(os.listdir())", "files": files })
    };
    refused(&mut server, files(65), "files");
    // And the folders every workspace has.
    assert_eq!(server.call(3, "run_code", files(64))["return_value"], 66);

    let env = |count: usize, bytes: usize| {
        let variable = |at| (format!("v{at:03}"), json!("x".repeat(bytes)));
        let env: Map<String, Value> = (0..count).map(variable).collect();
        json!({ "code": "import os\nlen([name for name in os.environ if name[:1] == 'v'])", "env": env })
    };
    refused(&mut server, env(257, 1), "env");
    refused(&mut server, env(16, 4093), "env");
    assert_eq!(server.call(4, "run_code", env(256, 252))["return_value"], 256);
}

#[test]
fn files_of_runs_without_a_session_make_room_for_newer_ones() {
    let mut server = Streams::start(&[]);
    let mut run = |at: usize| {
        let code = format!("open('output/x', 'w').write('{at}')");
        let reply = server.call(1, "run_code", json!({ "code": code }));
        let handle = reply["session_id"].as_str().map(str::to_owned);
        handle.unwrap_or_else(|| panic!("{reply}"))
    };
    let handles: Vec<String> = (0..1001).map(&mut run).collect();
    let mut read = |handle: &str| server.call(2, "read_file", json!({ "session_id": handle, "path": "output/x" }));
    assert_eq!(read(&handles[0])["error"]["type"], "unknown_session");
    for at in [1, 1000] {
        assert_eq!(read(&handles[at])["content"], at.to_string());
    }
}

fn write(server: &mut Streams, session: &Value, bytes: usize) -> Value {
    let content = "x".repeat(bytes);
    let arguments = json!({ "session_id": session, "path": "f", "content": content });
    server.call(2, "write_file", arguments)
}

/// Nothing more is written; everything else goes on.
#[track_caller]
fn expect_full(server: &mut Streams, held: &Value, session: &Value) {
    let refused = write(server, session, 1);
    assert_eq!(refused["error"]["type"], "quota", "{refused}");
    let run = server.call(3, "run_code", json!({ "code": "1", "session_id": session }));
    assert_eq!(run["error"]["type"], "quota", "{run}");
    let fork = server.call(4, "fork_session", json!({ "session_id": held }));
    assert_eq!(fork["error"]["type"], "quota", "{fork}");
    let read = json!({ "session_id": held, "path": "f", "limit": 1 });
    assert_eq!(server.call(5, "read_file", read)["content"], "x");
    let code = "import errno\ntry: open('f', 'wb', 0).write(b'x')\nexcept OSError as error: print(error.errno == errno.ENOSPC)\n2";
    let run = server.call(6, "run_code", json!({ "code": code }));
    assert_eq!(
        (&run["return_value"], &run["stdout"]),
        (&json!(2), &json!("True\n")),
        "{run}"
    );
}

#[test]
fn all_workspaces_together_have_a_size_and_after_a_restart_too() {
    let data = tempfile::tempdir().expect("a folder");
    let folder = data.path().to_str().expect("text");
    let start = || Streams::start(&["--max-workspaces", "1m", "--files", "900k", "--data-dir", folder]);
    let mut server = start();
    let mut session = || server.call(1, "create_session", json!({}))["session_id"].clone();
    let (first, second, third) = (session(), session(), session());
    assert_eq!(write(&mut server, &first, 800_000)["size"], 800_000);
    assert_eq!(write(&mut server, &second, 800_000)["size"], 800_000);
    expect_full(&mut server, &first, &third);
    assert_eq!(server.end().code, Some(0));

    let mut server = start();
    // Sessions are opened when one is asked for.
    server.call(7, "list_dir", json!({ "session_id": first }));
    expect_full(&mut server, &first, &third);
    server.call(8, "delete_file", json!({ "session_id": first, "path": "f" }));
    assert_eq!(write(&mut server, &third, 1)["size"], 1);
    assert_eq!(write(&mut server, &first, 800_000)["size"], 800_000);
    expect_full(&mut server, &first, &third);
    server.call(9, "close_session", json!({ "session_id": first }));
    assert_eq!(write(&mut server, &third, 1)["size"], 1);
}

/// The folders of runs that a server has, below the folder for temporary files.
fn workspaces(base: &Path) -> Vec<PathBuf> {
    let below = |folder: &Path| {
        let entries = std::fs::read_dir(folder).expect("it is there").flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let servers = below(base).into_iter().flat_map(|server| below(&server));
    servers
        .map(|run| run.join("workspace"))
        .filter(|run| run.exists())
        .collect()
}

#[test]
fn what_was_cancelled_leaves_no_files() {
    let base = tempfile::tempdir().expect("a folder");
    let environment = [("TMPDIR", base.path().to_str().expect("text"))];
    let mut server = Streams::start_with(&["--concurrency", "1"], &environment);
    let with_file = || {
        workspaces(base.path())
            .iter()
            .filter(|run| run.join("output/x").exists())
            .count()
    };
    let kept = server.call(1, "run_code", json!({ "code": "open('output/x', 'w').write('x')" }));
    assert_eq!((kept["return_value"].clone(), with_file()), (json!(1), 1));
    server.send(&super::run(2, "open('output/x', 'w').write('x')\nwhile True: pass"));
    let begun = std::time::Instant::now();
    while with_file() < 2 {
        assert!(begun.elapsed() < super::DEADLINE, "it does not begin");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    server.send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 2 } }));
    // Its turn comes when the other has ended.
    assert_eq!(server.call(3, "run_code", json!({ "code": "3" }))["return_value"], 3);
    // Removing is not waited for.
    while with_file() > 1 {
        assert!(begun.elapsed() < super::DEADLINE, "the files stay");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
