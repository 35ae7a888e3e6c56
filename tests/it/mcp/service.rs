//! The service inside this process, and what it does when there is too much of something.

use super::{Streams, call, run};
use prims_interpreter::SessionSettings;
use prims_sandbox::Limits;
use prims_wasm::server::{AppState, Deferred, NoFetcher, Observer, Options, RunFacts, Sessions, serve_stdio, service};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio_util::sync::CancellationToken;

/// Panics where the service does not expect it: in the middle of a call.
struct Panics;

impl Observer for Panics {
    fn finished(&self, facts: &RunFacts) {
        assert!(facts.status != "success", "on purpose");
    }
}

/// Writes down how runs ended.
#[derive(Default)]
struct Words(Mutex<Vec<&'static str>>);

impl Observer for Words {
    fn finished(&self, facts: &RunFacts) {
        self.0.lock().expect("nobody panicked").push(facts.status);
    }
}

pub(super) fn state(observer: Arc<dyn Observer>) -> AppState {
    state_with(Deferred::from(super::super::interpreter().clone()), observer)
}

fn state_with(interpreter: Deferred, observer: Arc<dyn Observer>) -> AppState {
    let interpreter = Arc::new(interpreter);
    let sessions = Sessions::new(interpreter.clone(), SessionSettings::DEFAULT, None, 1 << 30).expect("a folder");
    AppState::new(Options {
        interpreter,
        sessions,
        requirements: vec![],
        limits: Limits::DEFAULT,
        ceilings: Limits::CEILING,
        concurrency: 1,
        queue: 1,
        queue_wait: Duration::from_secs(30),
        fetcher: Arc::new(NoFetcher),
        observer,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_call_is_an_error_and_not_silence() {
    let (client, server) = tokio::io::duplex(1 << 20);
    let (input, output) = tokio::io::split(server);
    let drain = CancellationToken::new();
    let serving = serve_stdio(
        service(state(Arc::new(Panics))),
        input,
        output,
        drain,
        Duration::from_secs(1),
    );
    let serving = tokio::spawn(serving);
    let (read, mut write) = tokio::io::split(client);
    let mut lines = BufReader::new(read).lines();
    for (id, code) in [(1, "1"), (2, "1/0"), (3, "1"), (4, "1/0")] {
        write
            .write_all(format!("{}\n", run(id, code)).as_bytes())
            .await
            .expect("it reads");
        let line = lines.next_line().await.expect("it writes").expect("a line");
        let message: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(message["id"], id);
        if id % 2 == 1 {
            assert_eq!(message["error"]["code"], -32603, "{message}");
            let said = message["error"]["message"].as_str().unwrap_or_default();
            assert!(
                said.starts_with("internal error, incident ") && !said.contains("purpose"),
                "{said}"
            );
        } else {
            assert_eq!(message["result"]["structuredContent"]["status"], "error", "{message}");
        }
    }
    drop(write);
    drop(lines);
    serving.await.expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_of_ours_is_counted() {
    let words = Arc::new(Words::default());
    let broken = Deferred::new(|| Err(prims_wasm::Error::Usage("no interpreter today".into())));
    let (client, server) = tokio::io::duplex(1 << 20);
    let (input, output) = tokio::io::split(server);
    let service = service(state_with(broken, words.clone()));
    let drain = CancellationToken::new();
    let serving = tokio::spawn(serve_stdio(service, input, output, drain, Duration::from_secs(1)));
    let (read, mut write) = tokio::io::split(client);
    let mut lines = BufReader::new(read).lines();
    let request = format!("{}\n", run(1, "1"));
    write.write_all(request.as_bytes()).await.expect("it reads");
    let line = lines.next_line().await.expect("it writes").expect("a line");
    let message: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(message["error"]["code"], -32603, "{message}");
    assert!(!line.contains("today"), "{line}");
    drop((write, lines));
    serving.await.expect("it ends");
    assert_eq!(*words.0.lock().expect("nobody panicked"), ["fault"]);
}

#[test]
fn more_calls_than_may_wait_are_refused_as_busy() {
    let mut server = Streams::start(&["--concurrency", "1", "--queue", "1"]);
    assert_eq!(server.call(1, "run_code", json!({ "code": "1" }))["return_value"], 1);
    for id in 2..=4 {
        server.send(&run(id, "while True: pass"));
    }
    let refused = server.receive();
    let reply = &refused["result"]["structuredContent"];
    assert_eq!(
        (&reply["status"], &reply["error"]["type"]),
        (&json!("refused"), &json!("busy")),
        "{refused}"
    );
    let hint = reply["error"]["hint"].as_str().unwrap_or_default();
    assert!(hint.contains("again"), "{hint}");
    // One runs and one waits; whoever is cancelled is not answered.
    for id in 2..=4 {
        let params = json!({ "requestId": id });
        server.send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params }));
    }
    // Until all of them have gone there may be no room to wait.
    let reply = (5..)
        .map(|id| server.call(id, "run_code", json!({ "code": "5" })))
        .find(|reply| reply["error"]["type"] != "busy");
    assert_eq!(reply.expect("an answer")["return_value"], 5);
    assert!(server.aside.is_empty(), "{:?}", server.aside);
}

#[test]
fn calls_of_one_session_run_one_after_the_other_and_others_meanwhile() {
    let mut server = Streams::start(&["--concurrency", "2"]);
    let mut session = || server.call(1, "create_session", json!({}))["session_id"].clone();
    let (one, other) = (session(), session());
    let slow = "import time\nt = open('log', 'a')\nt.write('<'); t.flush()\ntime.sleep(0.3)\nt.write('>')";
    for id in 2..=4 {
        server.send(&call(id, "run_code", json!({ "code": slow, "session_id": one })));
    }
    // Those that wait for the session hold no permit: this one runs before the last of them.
    server.send(&call(5, "run_code", json!({ "code": "5", "session_id": other })));
    let order: Vec<_> = (0..4).map(|_| server.receive()["id"].clone()).collect();
    assert!(order.iter().position(|id| *id == 5) < Some(3), "{order:?}");
    let log = server.call(6, "read_file", json!({ "session_id": one, "path": "log" }));
    assert_eq!(log["content"], "<><><>");
}

#[test]
fn long_lists_come_in_pages() {
    let mut server = Streams::start(&[]);
    let session = server.call(1, "create_session", json!({}))["session_id"].clone();
    let code = "for i in range(250): open(f'output/{i:03}', 'w').write('x')";
    let made = server.call(2, "run_code", json!({ "code": code, "session_id": session }));
    assert_eq!(made["artifacts"].as_array().map(Vec::len), Some(250));
    let (mut names, mut cursor) = (vec![], json!(null));
    for id in 3.. {
        let params = if cursor.is_null() {
            json!({})
        } else {
            json!({ "cursor": cursor })
        };
        let list = json!({ "jsonrpc": "2.0", "id": id, "method": "resources/list", "params": params });
        let page = server.ask(&list)["result"].clone();
        let resources = page["resources"].as_array().cloned().unwrap_or_default();
        assert!(resources.len() <= 100);
        names.extend(
            resources
                .iter()
                .map(|resource| resource["name"].as_str().unwrap_or_default().to_owned()),
        );
        cursor = page["nextCursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    let expected: Vec<String> = (0..250).map(|i| format!("{i:03}")).collect();
    assert_eq!(names, expected);
    let bad = json!({ "jsonrpc": "2.0", "id": 9, "method": "resources/list", "params": { "cursor": "Li4v" } });
    assert_eq!(server.ask(&bad)["error"]["code"], -32602);
}

#[test]
fn default_packages_are_there_and_named() {
    let mut server = Streams::start(&["--deps", "numpy"]);
    let reply = server.ask(&super::initialize(1, "2025-11-25"));
    let instructions = reply["result"]["instructions"].as_str().unwrap_or_default();
    assert!(instructions.contains("installed: numpy"), "{instructions}");
    let reply = server.call(2, "run_code", json!({ "code": "import numpy; numpy.__name__" }));
    assert_eq!(
        (&reply["return_value"], &reply["environment"][0]["name"]),
        (&json!("numpy"), &json!("numpy"))
    );
    let output = super::program(&["stdio", "--deps", "git+https://example.org/x"]).output();
    assert_eq!(output.expect("it starts").status.code(), Some(2));
}

#[test]
fn limits_have_ceilings_that_the_operator_sets() {
    let mut server = Streams::start(&[
        "--max-timeout",
        "1s",
        "--timeout",
        "500ms",
        "--max-memory",
        "256m",
        "--memory",
        "128m",
    ]);
    let refused = |server: &mut Streams, id, field: &str, value: u64| {
        let reply = server.call(id, "run_code", json!({ "code": "1", field: value }));
        let message = reply["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(reply["status"] == "refused" && message.contains(field), "{reply}");
    };
    refused(&mut server, 1, "timeout_ms", 1001);
    refused(&mut server, 2, "memory_mb", 257);
    refused(&mut server, 3, "fuel", u64::MAX);
    assert_eq!(
        server.call(4, "run_code", json!({ "code": "while True: pass" }))["status"],
        "timeout"
    );
    let reply = server.call(5, "run_code", json!({ "code": "bytearray(150 << 20)" }));
    assert_eq!(reply["error"]["type"], "MemoryError", "{reply}");
    let reply = server.call(
        6,
        "run_code",
        json!({ "code": "len(bytearray(150 << 20))", "memory_mb": 256 }),
    );
    assert_eq!(reply["status"], "success", "{reply}");
    let output = super::program(&["stdio", "--timeout", "10m", "--max-timeout", "1m"]).output();
    assert_eq!(output.expect("it starts").status.code(), Some(2));
}
