//! What broke the servers whose place is taken. Each test says which, and what it did there.

use super::{Client, MCP_RUN_PYTHON, PRIMS, figures, http, request, streams, text};
use crate::mcp::{Http, Streams};
use serde_json::{Value, json};
use std::io::{Read, Write};

fn run(server: &mut Streams, code: &str) -> String {
    let call = crate::mcp::call(1, "run_python_code", json!({ "python_code": code }));
    text(&server.ask(&call)["result"])
}

/// mcp-run-python has no limit of time, output, memory or the size of a value: each of these ends its server or fills the client.
#[test]
fn mcp_run_python_endless_loops_and_floods_end() {
    let mut server = streams(
        MCP_RUN_PYTHON,
        &["--timeout", "3s", "--memory", "256m", "--output", "64k"],
    );
    let reply = run(&mut server, "print('before')\nwhile True: pass");
    assert!(
        reply.starts_with(
            "<status>run-error</status>\n<output>\nbefore\n</output>\n<error>\nTimeoutError: stopped after"
        ),
        "{reply}"
    );
    let reply = run(&mut server, "async def f():\n  while True: pass\nf()");
    assert!(reply.contains("TimeoutError"), "{reply}");
    let reply = run(&mut server, "for i in range(200_000): print('x' * 100)");
    assert!(
        reply.len() < 200_000 && reply.contains("bytes left out"),
        "{}",
        reply.len()
    );
    let reply = run(&mut server, "x = bytearray(400 << 20)");
    assert!(reply.contains("MemoryError"), "{reply}");
    let reply = run(&mut server, "'x' * 10_000_000");
    assert!(reply.contains("ValueError: the return value has"), "{reply}");
    let reply = run(&mut server, "x = []\nfor i in range(100_000): x = [x]\nx");
    assert!(
        reply.contains("Circular reference detected (depth exceeded)"),
        "{reply}"
    );
    assert_eq!(
        run(&mut server, "1"),
        "<status>success</status>\n<return_value>\n1\n</return_value>"
    );
}

/// In mcp-run-python code shares one interpreter with the code of the server and of all later calls, of every client.
#[test]
fn mcp_run_python_code_that_rewrites_the_server_rewrites_nothing() {
    let mut server = streams(MCP_RUN_PYTHON, &[]);
    for code in [
        "import builtins, sys, json, traceback, linecache\nfor name in ('len', 'print', 'open', 'isinstance', '__import__'): delattr(builtins, name)",
        "import sys\nsys.modules.clear()",
        "import sys\nf = sys._getframe()\nwhile f:\n    if 'run' in f.f_globals: f.f_globals['dumped'] = lambda *a: 'FORGED'\n    f = f.f_back\n1",
        "import json, asyncio, marshal\njson.dumps = asyncio.run = marshal.loads = lambda *a, **k: 'FORGED'\n{}",
        "import sys\nsys.stdout = sys.stderr = None\nsys.setrecursionlimit(30)\n[]",
        "import os\nos._exit(0)",
        "import os\nos.abort()",
        "raise SystemExit",
        "import gc\nfor o in gc.get_objects():\n    if isinstance(o, dict) and 'request' in o: o.clear()",
    ] {
        let first = run(&mut server, code);
        assert!(first.starts_with("<status>"), "{first}");
        let next = run(&mut server, "import json\nprint(len(json.dumps([1])))\n1.5");
        let expected = "<status>success</status>\n<output>\n3\n</output>\n<return_value>\n1.5\n</return_value>";
        assert_eq!(next, expected, "after {code}");
    }
}

/// In mcp-run-python's HTTP server one object serves all sessions: lines, files and modules of one client reach others.
#[test]
fn mcp_run_python_sessions_do_not_meet() {
    let server = http(MCP_RUN_PYTHON, &["--return-mode", "json", "--concurrency", "2"]);
    let (one, other) = (Client::new(&server), Client::new(&server));
    one.ask(&request(1, "logging/setLevel", json!({ "level": "debug" })));
    let call = |code: &str| crate::mcp::call(2, "run_python_code", json!({ "python_code": code }));
    let code = |name: &str| {
        format!(
            "import time\nfor i in range(20):\n    print('{name}', i)\n    time.sleep(0.01)\nopen('mine', 'w').write('{name}')\nimport json\njson.of = '{name}'"
        )
    };
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| one.messages(&call(&code("one"))));
        let second = scope.spawn(|| other.messages(&call(&code("other"))));
        (first.join().expect("it ends"), second.join().expect("it ends"))
    });
    let lines: Vec<&Value> = first
        .iter()
        .map(|message| &message["params"])
        .filter(|line| line["level"] == "info")
        .map(|line| &line["data"])
        .collect();
    assert_eq!(lines.len(), 20, "{first:?}");
    assert!(
        lines
            .iter()
            .all(|line| line.as_str().is_some_and(|line| line.starts_with("one"))),
        "{lines:?}"
    );
    assert_eq!(second.len(), 1, "the other client set no level");
    for (messages, own, foreign) in [(&first, "one", "other"), (&second, "other", "one")] {
        let said = text(&messages.last().expect("an answer")["result"]);
        assert!(
            said.contains(&format!("\"{own} 19\"")) && !said.contains(&format!("\"{foreign} ")),
            "{said}"
        );
    }
    let seen = "import json, os\n[open('mine').read(), hasattr(json, 'of')]";
    assert!(
        one.text("run_python_code", json!({ "python_code": seen }))
            .contains("[\"one\",false]")
    );
    assert!(
        other
            .text("run_python_code", json!({ "python_code": seen }))
            .contains("[\"other\",false]")
    );
}

/// PRIMS joins `files[].mountPath` to a folder without a look at it, so that a call writes anywhere its process may.
#[test]
fn prims_mount_paths_do_not_lead_out() {
    let server = http(PRIMS, &["--allow-http-fetch", "--fetch-allow", "127.0.0.1"]);
    let files = super::tours::FileServer::start();
    let client = Client::new(&server);
    let url = files.url("countries.csv");
    for path in [
        "../escaped",
        "../../../../tmp/prims-escaped",
        "/tmp/prims-escaped",
        "a/../../b",
        "..",
        "a\\..\\..\\b\0",
    ] {
        let call = json!({ "code": "print(1)", "files": [{ "url": url, "mountPath": path }] });
        let result = client.call("run_code", call);
        assert_eq!(result["isError"], true, "{path}: {result}");
        let mount = client.call("mount_file", json!({ "url": url, "mount_path": path }));
        assert_eq!(mount["isError"], true, "{path}: {mount}");
    }
    assert!(!std::path::Path::new("/tmp/prims-escaped").exists());
    let code = "import os\nprint(os.listdir('.'), os.listdir('mounts'))";
    let ran = client.call("run_code", json!({ "code": code }));
    assert_eq!(ran["structuredContent"]["stdout"], "['mounts', 'output'] []\n");
}

/// PRIMS makes a path of the header `mcp-session-id`: `x/../../..` leads to any folder that has an `output`.
#[test]
fn prims_session_headers_are_no_paths() {
    let server = http(PRIMS, &[]);
    let client = Client::new(&server);
    client.call(
        "run_code",
        json!({ "code": "open('output/a', 'w').write('secret')\nprint(1)" }),
    );
    let twice = format!("{0}\r\nmcp-session-id: {0}", client.session);
    let near = format!("{}/", client.session);
    for header in [
        "../x",
        "x/../../../etc",
        "..",
        "/",
        "%2e%2e",
        "*",
        "mcp-",
        "mcp-00000000000000000000000000000000",
        near.as_str(),
        twice.as_str(),
    ] {
        let head = format!(
            "GET /artifacts/a HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nmcp-session-id: {header}\r\n\r\n"
        );
        let answer = server.exchange(head.as_bytes());
        assert!(
            [400, 404].contains(&answer.status) && !answer.body.contains("secret"),
            "{header}: {} {}",
            answer.status,
            answer.body
        );
        let listed = server.post(
            &crate::mcp::call(1, "list_dir", json!({})),
            &[("Mcp-Session-Id", header)],
        );
        assert!(
            listed.status != 200 || listed.message()["result"]["isError"] == true,
            "{header}: {}",
            listed.body
        );
    }
}

/// A symbolic link that PRIMS' code leaves in `output/` is followed by its artifacts route and by its uploads.
#[test]
fn prims_links_are_not_followed_out_of_a_session() {
    let server = http(PRIMS, &[]);
    let client = Client::new(&server);
    let code = "import os\nopen('inside', 'w').write('x')\nfor name, target in [('etc', '/etc/passwd'), ('up', '../../../../../etc/passwd'), ('own', '../inside')]:\n    try: os.symlink(target, 'output/' + name)\n    except OSError: pass\nprint(1)";
    client.call("run_code", json!({ "code": code }));
    for name in ["etc", "up"] {
        let head = format!(
            "GET /artifacts/{name} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nmcp-session-id: {}\r\n\r\n",
            client.session
        );
        let answer = server.exchange(head.as_bytes());
        assert!(
            [403, 404].contains(&answer.status) && !answer.body.contains("root:"),
            "{name}: {} {}",
            answer.status,
            answer.body
        );
        let sent = client.call(
            "persist_artifact",
            json!({ "relative_path": name, "presigned_url": "https://127.0.0.1/" }),
        );
        assert_eq!(sent["isError"], true, "{sent}");
    }
}

/// PRIMS fetches and sends to every address: its own machine, its network, the cloud's metadata.
#[test]
fn prims_fetches_nothing_from_its_own_machine() {
    let server = http(PRIMS, &["--allow-http-fetch"]);
    let files = super::tours::FileServer::start();
    let client = Client::new(&server);
    client.call(
        "run_code",
        json!({ "code": "open('output/a', 'w').write('x')\nprint(1)" }),
    );
    let port = files.address.port();
    for url in [
        files.url("countries.csv"),
        format!("http://localhost:{port}/countries.csv"),
        format!("http://[::1]:{port}/countries.csv"),
        format!("http://[::ffff:127.0.0.1]:{port}/countries.csv"),
        format!("http://2130706433:{port}/countries.csv"),
        format!("http://0x7f.1:{port}/countries.csv"),
        "http://169.254.169.254/latest/meta-data/".into(),
        "http://10.0.0.1/".into(),
        "file:///etc/passwd".into(),
        "ftp://127.0.0.1/".into(),
    ] {
        for (tool, arguments) in [
            ("mount_file", json!({ "url": url, "mount_path": "x" })),
            (
                "run_code",
                json!({ "code": "print(1)", "files": [{ "url": url, "mountPath": "x" }] }),
            ),
            (
                "persist_artifact",
                json!({ "relative_path": "a", "presigned_url": url }),
            ),
        ] {
            let result = client.call(tool, arguments);
            assert_eq!(result["isError"], true, "{tool} {url}: {result}");
        }
    }
    assert_eq!(files.requests(), 0);
}

/// PRIMS hands `requirements` to pip as arguments: an option among them is an option of pip.
#[test]
fn prims_requirements_are_no_options() {
    let server = http(PRIMS, &[]);
    let client = Client::new(&server);
    for requirement in [
        "--index-url=http://127.0.0.1/",
        "-r/etc/passwd",
        "-e .",
        "--target=/tmp",
        "git+https://x.example/y",
        "./x.whl",
        "x @ file:///tmp/x.whl",
        "https://127.0.0.1/x.whl",
    ] {
        let result = client.call("run_code", json!({ "code": "print(1)", "requirements": [requirement] }));
        let said = text(&result);
        assert!(
            said.starts_with("Error calling tool 'run_code': pip install failed: ") && !said.contains("root:"),
            "{requirement}: {said}"
        );
    }
    let refused = |arguments: &[&str]| {
        crate::mcp::program(arguments)
            .output()
            .expect("it starts")
            .status
            .code()
    };
    assert_eq!(
        refused(&[
            "--compat",
            "mcp-run-python",
            "stdio",
            "--deps=--index-url=http://127.0.0.1/"
        ]),
        Some(2)
    );
}

/// PRIMS makes a folder for each connection and never removes one.
#[test]
fn connections_that_are_left_make_room_for_others() {
    for (server, tool, argument) in [
        (PRIMS, "run_code", "code"),
        (MCP_RUN_PYTHON, "run_python_code", "python_code"),
    ] {
        let server = http(server, &["--max-sessions", "3", "--max-sessions-per-caller", "2"]);
        let clients: Vec<Client> = (0..5).map(|_| Client::new(&server)).collect();
        for client in &clients {
            let said = client.text(
                tool,
                json!({ argument: "open('output/a', 'w').write('x'); print('written')" }),
            );
            assert!(said.contains("written"), "{said}");
        }
        let looked = |client: &Client| {
            client.text(
                tool,
                json!({ argument: "import os; print('found', os.listdir('output'))" }),
            )
        };
        assert!(looked(&clients[4]).contains("found ['a']"));
        assert!(looked(&clients[0]).contains("found []"));
    }
}

/// Calls that a client sends at once, before it has an answer to any, share its files.
#[test]
fn calls_that_come_at_once_have_one_session() {
    for (server, tool, argument) in [
        (PRIMS, "run_code", "code"),
        (MCP_RUN_PYTHON, "run_python_code", "python_code"),
    ] {
        let server = http(server, &[]);
        // Before the interpreter is ready, so that all of them wait for it without a session.
        let client = Client::new(&server);
        let mut calls: Vec<_> = (0..16)
            .map(|name| {
                let code = format!("open('output/{name}', 'w').close(); print('written')");
                let call = crate::mcp::call(2, tool, json!({ argument: code })).to_string();
                let request = crate::mcp::post(&call, &[("Mcp-Session-Id", &client.session)]);
                let (last, all) = request.split_last().expect("a request");
                let mut stream = server.open();
                stream.write_all(all).expect("it reads");
                (stream, *last)
            })
            .collect();
        // Nothing but one byte of each is missing.
        for (stream, last) in &mut calls {
            stream.write_all(&[*last]).expect("it reads");
        }
        for (stream, _) in &mut calls {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("an answer");
            assert!(answer.contains("written"), "{answer}");
        }
        let looked = client.text(
            tool,
            json!({ argument: "import os; print('found', len(os.listdir('output')))" }),
        );
        assert!(looked.contains("found 16"), "{looked}");
        let figures = figures(&server);
        assert!(figures.contains("prims_sessions 1\n"), "{figures}");
    }
}

/// What a caller can correct, or wait for, is a result; only our own faults are errors of the protocol.
#[test]
fn sessions_that_cannot_be_had_are_told_and_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, [alice, bob]) = super::tokens(folder.path());
    for (server, tool, argument, said, expected) in [
        (
            PRIMS,
            "run_code",
            "code",
            "Error calling tool 'run_code': there are 1 sessions",
            true,
        ),
        (
            MCP_RUN_PYTHON,
            "run_python_code",
            "python_code",
            "RuntimeError: there are 1 sessions",
            false,
        ),
    ] {
        let server = http(server, &["--max-sessions", "1", "--auth-token-file", &file]);
        let ask = |token: &str| {
            let authorization = ("Authorization", token);
            let greeted = server.post(&crate::mcp::initialize(1, "2025-06-18"), &[authorization]);
            let session = greeted.header("mcp-session-id").expect("an identifier").to_owned();
            let call = crate::mcp::call(2, tool, json!({ argument: "print('ran')" }));
            let answer = server.post(&call, &[authorization, ("Mcp-Session-Id", &session)]);
            answer.message()["result"].clone()
        };
        assert!(text(&ask(&alice)).contains("ran"));
        let refused = ask(&bob);
        assert!(
            text(&refused).contains(said) && (refused["isError"] == true) == expected,
            "{refused}"
        );
        let figures = figures(&server);
        for line in [
            "prims_runs_total{outcome=\"refused\"} 1\n",
            "prims_runs_total{outcome=\"success\"} 1\n",
        ] {
            assert!(figures.contains(line), "{figures}");
        }
    }
    // Workspaces that are full together.
    let server = http(MCP_RUN_PYTHON, &["--max-workspaces", "1k"]);
    let client = Client::new(&server);
    let run = |code: &str| client.text("run_python_code", json!({ "python_code": code }));
    assert!(run("open('large', 'w').write('x' * 2000)").contains("2000"));
    let full = run("1");
    assert!(
        full.starts_with("<status>run-error</status>") && full.contains("RuntimeError: the workspaces of this server"),
        "{full}"
    );
    client.ask(&crate::mcp::call(3, "run_python_code", json!({ "python_code": 5 })));
    let figures = figures(&server);
    assert!(
        figures.contains("prims_runs_total{outcome=\"refused\"} 2\n"),
        "{figures}"
    );
}

/// PRIMS keeps everything a process writes in memory, whatever `PRIMCS_MAX_OUTPUT` says, and every session's folder for ever.
#[test]
fn prims_output_is_bounded() {
    let mut command = crate::mcp::program(&["streamable-http", "--port", "0", "--compat", "prims"]);
    command.env("PRIMCS_MAX_OUTPUT", "65536").env("PRIMCS_TIMEOUT", "20");
    let server = Http::of(command);
    let client = Client::new(&server);
    let result = client.call(
        "run_code",
        json!({ "code": "for i in range(200_000): print('x' * 100)" }),
    );
    let stdout = result["structuredContent"]["stdout"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(
        stdout.len() < 70_000 && stdout.contains("bytes left out"),
        "{}",
        stdout.len()
    );
}
