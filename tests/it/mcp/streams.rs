//! Standard streams: what a client may do to its end of the pipes.

use super::{Streams, initialize, run};
use serde_json::{Value, json};
use std::time::Duration;

/// The guest is stopped in a quarter of a second and the process gone in two; the machines that test are slower than that allows for.
const PROMPT: Duration = Duration::from_secs(10);

fn cancel(id: Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } })
}

#[test]
fn nobody_needs_to_initialize() {
    let mut server = Streams::start(&[]);
    let level = json!({ "jsonrpc": "2.0", "id": 1, "method": "logging/setLevel", "params": { "level": "info" } });
    assert_eq!(server.ask(&level)["result"], json!({}));
    let reply = server.ask(&run(2, "print('hi')"));
    assert_eq!(reply["result"]["structuredContent"]["stdout"], "hi\n", "{reply}");
    let line = server.aside.pop_front().expect("the line was sent before the result");
    assert_eq!(line["method"], "notifications/message");
    assert_eq!(line["params"]["data"], "hi");
    // And may do so at any time.
    let reply = server.ask(&initialize(3, "2025-11-25"));
    assert_eq!(reply["result"]["protocolVersion"], "2025-11-25", "{reply}");
    assert_eq!(server.end().code, Some(0));
}

#[test]
fn a_cancelled_run_gives_its_slot_back_and_is_not_answered() {
    let mut server = Streams::start(&["--concurrency", "1"]);
    server.send(&run(1, "while True: pass"));
    server.send(&run(2, "2"));
    // What is unknown, finished, or not an identifier at all is ignored.
    for id in [json!(77), json!("1"), json!(null), json!({}), json!(1), json!(1)] {
        server.send(&cancel(id));
    }
    let message = server.receive();
    assert_eq!(message["id"], 2, "{message}");
    server.send(&cancel(json!(2)));
    assert_eq!(server.call(3, "run_code", json!({ "code": "3" }))["return_value"], 3);
    let ended = server.end();
    assert_eq!((ended.code, ended.rest), (Some(0), vec![]));
}

#[test]
fn waiting_for_a_turn_can_be_cancelled() {
    let mut server = Streams::start(&["--concurrency", "1"]);
    server.send(&run(1, "while True: pass"));
    server.send(&run(2, "2"));
    server.send(&cancel(json!(2)));
    server.send(&cancel(json!(1)));
    assert_eq!(server.call(3, "run_code", json!({ "code": "3" }))["return_value"], 3);
    let answered: Vec<_> = server.aside.iter().map(|message| message["id"].clone()).collect();
    assert!(answered.is_empty(), "{answered:?}");
}

#[test]
fn the_end_of_the_input_ends_a_run() {
    let mut server = Streams::start(&[]);
    assert_eq!(server.call(1, "run_code", json!({ "code": "1" }))["return_value"], 1);
    let level = json!({ "jsonrpc": "2.0", "id": 3, "method": "logging/setLevel", "params": { "level": "info" } });
    server.ask(&level);
    server.send(&run(2, "import time\nprint('begun')\nwhile True: time.sleep(1)"));
    assert_eq!(server.receive()["params"]["data"], "begun");
    let ended = server.end();
    assert_eq!(ended.code, Some(0));
    assert!(ended.took < PROMPT, "{:?}", ended.took);
    let reply = &ended.rest[0]["result"]["structuredContent"];
    assert_eq!(
        (&reply["status"], &reply["stdout"]),
        (&json!("cancelled"), &json!("begun\n"))
    );
}

#[test]
fn the_last_request_is_answered_after_the_end_of_the_input() {
    let mut server = Streams::start(&[]);
    assert_eq!(server.call(1, "run_code", json!({ "code": "1" }))["return_value"], 1);
    server.send(&run(2, "2"));
    let ended = server.end();
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.rest[0]["result"]["structuredContent"]["return_value"], 2);
}

#[test]
fn a_client_that_no_longer_reads_ends_the_server() {
    use super::program;
    use std::io::Write;
    use std::process::Stdio;
    let mut child = program(&["stdio"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server starts");
    drop(child.stdout.take());
    let mut input = child.stdin.take().expect("a pipe");
    writeln!(input, "{}", run(1, "1")).expect("it reads");
    assert_eq!(super::ended(&mut child).code(), Some(0));
}

#[test]
fn sigterm_lets_runs_end() {
    let mut server = Streams::start(&[]);
    assert_eq!(server.call(1, "run_code", json!({ "code": "1" }))["return_value"], 1);
    let level = json!({ "jsonrpc": "2.0", "id": 2, "method": "logging/setLevel", "params": { "level": "info" } });
    server.ask(&level);
    server.send(&run(3, "import time\nprint('begun')\ntime.sleep(0.5)\n'whole'"));
    assert_eq!(server.receive()["params"]["data"], "begun");
    let pid = server.child.id().to_string();
    let killed = std::process::Command::new("kill").args(["-TERM", &pid]).status();
    assert!(killed.is_ok_and(|status| status.success()));
    let reply = server.answer(&json!(3));
    assert_eq!(reply["result"]["structuredContent"]["return_value"], "whole", "{reply}");
    assert_eq!(server.wait().code, Some(0));
}

#[test]
fn what_is_no_message_hurts_nobody() {
    let mut server = Streams::start(&[]);
    let deep = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{}",
        "[".repeat(100_000)
    );
    let long = format!("{{\"x\":\"{}\"}}", "x".repeat(17 << 20));
    for line in ["", "{", "\u{feff}", "nonsense", "[]", "\"x\"", "\u{0}", &deep, &long] {
        server.write(line.as_bytes());
        server.write(b"\n");
    }
    server.write(b"\xff\xfe\n");
    assert_eq!(server.call(7, "run_code", json!({ "code": "7" }))["return_value"], 7);
    // What is JSON and no message may be answered, without an identifier.
    assert!(
        server.aside.iter().all(|message| message["id"].is_null()),
        "{:?}",
        server.aside
    );
    assert_eq!(server.end().code, Some(0));
}

#[test]
fn output_floods_are_bounded_and_the_result_comes_last() {
    let mut server = Streams::start(&[]);
    let level = json!({ "jsonrpc": "2.0", "id": 1, "method": "logging/setLevel", "params": { "level": "debug" } });
    server.ask(&level);
    let params = json!({
        "name": "run_code",
        "arguments": { "code": "for i in range(200_000): print(i)" },
        "_meta": { "progressToken": 5 },
    });
    let reply = server.ask(&json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params }));
    assert_eq!(reply["result"]["structuredContent"]["truncated"]["stdout"], true);
    let lines = server
        .aside
        .iter()
        .filter(|message| message["method"] == "notifications/message");
    assert!(lines.count() < 20_000);
    let last = server
        .aside
        .iter()
        .rfind(|message| message["method"] == "notifications/message");
    let last = last
        .and_then(|message| message["params"]["data"].as_str())
        .unwrap_or_default();
    assert!(last.contains("lines were not sent one by one"), "{last}");
    // Nothing comes after the result.
    assert_eq!(server.end().rest, Vec::<Value>::new());
}
