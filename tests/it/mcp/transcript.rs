//! One conversation, over standard streams and over HTTP: the answers are the same, and the same as in `transcript.jsonl`.
//!
//! `BLESS=1` writes that file anew.

use super::{Http, Streams, call, initialize, meta};
use serde_json::{Value, json};
use std::path::Path;

/// What the client says. `$0`, `$1` … stand for the handles that were given out, in order.
fn conversation() -> Vec<Value> {
    let mut said = vec![];
    let mut say = |message: Value| said.push(message);
    let request = |method: &str, params: Value| json!({ "jsonrpc": "2.0", "method": method, "params": params });
    let tool = |name: &str, arguments: Value| call(0, name, arguments);
    let code = |code: &str| call(0, "run_code", json!({ "code": code }));
    // Before any handshake.
    say(request("ping", json!({})));
    say(code("1 + 1"));
    say(request("logging/setLevel", json!({ "level": "debug" })));
    say(initialize(0, "2025-11-25"));
    say(request("ping", json!({})));
    say(request("tools/list", json!({})));
    say(request("prompts/list", json!({})));
    say(request("resources/templates/list", json!({})));
    say(request("no/such/method", json!({})));
    say(request(
        "tools/call",
        json!({ "name": "no_such_tool", "arguments": {} }),
    ));
    say(request("tools/call", json!({ "arguments": {} })));
    // Every way a run ends.
    say(code("x = 1"));
    say(code("print('out')\n{'a': [1, 2.5, None, 'ü']}"));
    say(code("object"));
    say(code("import sys\nprint('e', file=sys.stderr)"));
    say(code("def f(n):\n    return 1 / n\nf(0)"));
    say(code("f(:"));
    say(code("import sys; sys.exit(0)"));
    say(code("import sys; print('bye'); sys.exit(7)"));
    say(code("import os; os.abort()"));
    say(tool(
        "run_code",
        json!({ "code": "print('a')\nwhile True: pass", "timeout_ms": 1000 }),
    ));
    say(tool(
        "run_code",
        json!({ "code": "while True: pass", "fuel": 3_000_000 }),
    ));
    say(code("await __import__('asyncio').sleep(0, 'awaited')"));
    say(tool(
        "run_code",
        json!({ "code": "a, input(), __import__('os').environ['E']", "globals": { "a": null }, "stdin": "i\n", "env": { "E": "e" } }),
    ));
    say(tool(
        "run_code",
        json!({ "code": "open('mounts/m').read() + open('f/g').read()", "files": [
        { "mountPath": "m", "content": "1" }, { "path": "f/g", "content_base64": "Mg" }] }),
    ));
    // What a model gets wrong.
    say(tool("run_code", json!({})));
    say(tool("run_code", json!({ "code": null })));
    say(tool("run_code", json!({ "code": 5 })));
    say(tool("run_code", json!({ "code": "1", "timeout": 5 })));
    say(tool("run_code", json!({ "code": "1", "timeout_ms": "5" })));
    say(tool("run_code", json!({ "code": "1", "timeout_ms": 0 })));
    say(tool("run_code", json!({ "code": "1", "timeout_ms": 4_000_000 })));
    say(tool("run_code", json!({ "code": "1", "memory_mb": 1 })));
    say(tool("run_code", json!({ "code": "1", "requirements": ["numpi"] })));
    say(tool(
        "run_code",
        json!({ "code": "1", "requirements": ["git+https://example.org/x"] }),
    ));
    say(tool("run_code", json!({ "code": "1", "env": { "A=B": "" } })));
    say(tool(
        "run_code",
        json!({ "code": "1", "files": [{ "path": "../x", "content": "" }] }),
    ));
    say(tool(
        "run_code",
        json!({ "code": "1", "files": [{ "path": "x", "mountPath": "x", "content": "" }] }),
    ));
    say(tool("run_code", json!({ "code": "1", "files": [{ "path": "x" }] })));
    say(tool(
        "run_code",
        json!({ "code": "1", "files": [{ "path": "x", "content_base64": "!" }] }),
    ));
    say(tool(
        "run_code",
        json!({ "code": "1", "files": [{ "path": "x", "url": "https://127.0.0.1/x" }] }),
    ));
    say(tool(
        "run_code",
        json!({ "code": "1", "files": [{ "path": "x", "name": "y" }] }),
    ));
    say(tool("run_code", json!({ "code": "1", "session_id": "nonsense" })));
    // Sessions, files, resources.
    say(tool(
        "create_session",
        json!({ "requirements": ["numpy>=2"], "ttl_s": 60 }),
    ));
    say(tool("create_session", json!({ "requirements": ["-r x"] })));
    say(tool("create_session", json!({ "ttl_s": 0 })));
    say(tool(
        "write_file",
        json!({ "session_id": "$0", "path": "a/b.txt", "content": "hello" }),
    ));
    say(tool(
        "write_file",
        json!({ "session_id": "$0", "path": "a/b.txt", "content": " again", "append": true }),
    ));
    say(tool(
        "write_file",
        json!({ "session_id": "$0", "path": "a/b.txt/c", "content": "" }),
    ));
    say(tool(
        "run_code",
        json!({ "session_id": "$0", "code": "import numpy\nopen('output/x y.bin', 'wb').write(b'\\xff' + open('a/b.txt', 'rb').read())" }),
    ));
    say(tool("list_dir", json!({ "session_id": "$0", "dir_path": "output" })));
    say(tool("list_dir", json!({ "session_id": "$0", "dir_path": "nowhere" })));
    say(tool(
        "preview_file",
        json!({ "session_id": "$0", "relative_path": "a/b.txt" }),
    ));
    say(tool(
        "read_file",
        json!({ "session_id": "$0", "path": "output/x y.bin", "offset": 0, "limit": 3 }),
    ));
    say(tool(
        "read_file",
        json!({ "session_id": "$0", "path": "a/b.txt", "limit": 5 }),
    ));
    say(tool(
        "read_file",
        json!({ "session_id": "$0", "path": "a/b.txt", "limit": 0 }),
    ));
    say(tool("read_file", json!({ "path": "a/b.txt" })));
    say(request("resources/list", json!({})));
    say(request(
        "resources/read",
        json!({ "uri": "prims://session/$0/output/x%20y.bin" }),
    ));
    say(request(
        "resources/read",
        json!({ "uri": "prims://session/$0/a/b.txt" }),
    ));
    say(request("resources/read", json!({ "uri": "file:///etc/passwd" })));
    say(tool(
        "persist_artifact",
        json!({ "session_id": "$0", "relative_path": "a/b.txt", "presigned_url": "https://example.org/?secret" }),
    ));
    say(tool(
        "mount_file",
        json!({ "session_id": "$0", "url": "https://example.org/x", "mount_path": "../x" }),
    ));
    say(tool("fork_session", json!({ "session_id": "$0" })));
    say(tool("delete_file", json!({ "session_id": "$0", "path": "a" })));
    say(tool("delete_file", json!({ "session_id": "$0", "path": "a" })));
    say(tool("list_sessions", json!({})));
    say(tool("reset_session", json!({ "session_id": "$1" })));
    say(tool("close_session", json!({ "session_id": "$0" })));
    say(tool("close_session", json!({ "session_id": "$0" })));
    // The newest revision.
    let modern = |mut message: Value| {
        message["params"]["_meta"] = meta();
        message
    };
    say(modern(request("server/discover", json!({}))));
    say(modern(request("tools/list", json!({}))));
    say(modern(request("ping", json!({}))));
    say(modern(code("print('quiet')\n2")));
    let mut loud = modern(code("print('loud')\n1/0"));
    loud["params"]["_meta"]["io.modelcontextprotocol/logLevel"] = json!("info");
    say(loud);
    say(modern(tool(
        "run_code",
        json!({ "code": "open('output/x.txt', 'w').write('x')" }),
    )));
    say(modern(request(
        "resources/read",
        json!({ "uri": "prims://session/nowhere/output/x" }),
    )));
    say(modern(request("resources/templates/list", json!({}))));
    for (id, message) in said.iter_mut().enumerate() {
        message["id"] = json!(id + 1);
    }
    said
}

/// Handles as they were given out, and a text with what differs from time to time taken out.
#[derive(Default)]
struct Handles(Vec<String>);

impl Handles {
    fn fill_in(&self, message: &Value) -> Value {
        let mut text = message.to_string();
        for (at, handle) in self.0.iter().enumerate() {
            text = text.replace(&format!("${at}"), handle);
        }
        serde_json::from_str(&text).expect("still JSON")
    }

    fn take_out(&mut self, messages: &[Value]) -> String {
        let mut lines = String::new();
        for message in messages {
            let mut message = message.clone();
            still(&mut message);
            lines.push_str(&message.to_string());
            lines.push('\n');
        }
        for word in lines.split(|c: char| !c.is_ascii_alphanumeric()) {
            let is_handle = word.len() == 32
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
            if is_handle && !self.0.iter().any(|known| known == word) {
                self.0.push(word.to_owned());
            }
        }
        for (at, handle) in self.0.iter().enumerate() {
            lines = lines.replace(handle, &format!("${at}"));
        }
        lines
    }
}

/// Replaces figures and times.
fn still(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if name == "jsonrpc" {
                    // Never anything but `2.0`, which looks like a figure.
                } else if name == "usage" {
                    field
                        .as_object_mut()
                        .into_iter()
                        .flatten()
                        .for_each(|(_, figure)| *figure = json!(0));
                } else {
                    still(field);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(still),
        Value::String(text) => {
            let is_time =
                |word: &str| word.len() == 20 && word.ends_with('Z') && word.contains('T') && word.starts_with("20");
            let is_figure = |word: &str| {
                word.contains('.') && word.parse::<f64>().is_ok() || word.len() > 5 && word.parse::<u64>().is_ok()
            };
            let words = text.split(' ').map(|word| match word {
                word if is_time(word) => "TIME",
                word if is_figure(word) => "FIGURE",
                word => word,
            });
            *text = words.collect::<Vec<_>>().join(" ");
        }
        _ => {}
    }
}

fn over_streams(said: &[Value]) -> Vec<String> {
    let mut server = Streams::start(&[]);
    let mut handles = Handles::default();
    let answers = said.iter().map(|message| {
        let message = handles.fill_in(message);
        let answer = server.ask(&message);
        let mut all: Vec<Value> = server.aside.drain(..).collect();
        all.push(answer);
        handles.take_out(&all)
    });
    answers.collect()
}

fn over_http(said: &[Value]) -> Vec<String> {
    let server = Http::start(&[]);
    let mut handles = Handles::default();
    let mut connection: Option<String> = None;
    let answers = said.iter().enumerate().map(|(at, message)| {
        let message = handles.fill_in(message);
        let method = message["method"].as_str().unwrap_or_default().to_owned();
        let name = message["params"].get("name").or_else(|| message["params"].get("uri"));
        let name = name.and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut headers: Vec<(&str, &str)> = vec![];
        if message["params"]["_meta"].is_object() {
            headers.extend([("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", &*method)]);
            if !name.is_empty() {
                headers.push(("Mcp-Name", &*name));
            }
        } else if let Some(connection) = &connection {
            headers.extend([
                ("Mcp-Session-Id", &**connection),
                ("MCP-Protocol-Version", "2025-11-25"),
            ]);
        }
        let answer = server.post(&message, &headers);
        if let Some(minted) = answer.header("mcp-session-id") {
            connection = Some(minted.to_owned());
            // Over streams the level set before the handshake holds; here it had nothing to hold on to.
            let again =
                json!({ "jsonrpc": "2.0", "id": at, "method": "logging/setLevel", "params": { "level": "debug" } });
            server.post(&again, &[("Mcp-Session-Id", minted)]);
        }
        handles.take_out(&answer.messages())
    });
    answers.collect()
}

#[test]
fn both_transports_answer_alike() {
    let said = conversation();
    assert!(said.len() >= 60, "{} messages", said.len());
    let (streams, http) = (over_streams(&said), over_http(&said));
    for ((message, streams), http) in said.iter().zip(&streams).zip(&http) {
        assert_eq!(streams, http, "{message}");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/mcp/transcript.jsonl");
    let text: String = said
        .iter()
        .zip(&streams)
        .map(|(said, answers)| format!("{said}\n{answers}\n"))
        .collect();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &text).expect("it can be written");
    }
    let expected = std::fs::read_to_string(&path).expect("transcript.jsonl is there");
    for (at, (found, expected)) in text.split("\n\n").zip(expected.split("\n\n")).enumerate() {
        assert_eq!(found, expected, "message {}", at + 1);
    }
    assert_eq!(text.len(), expected.len());
}
