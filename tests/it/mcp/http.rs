//! HTTP: what gets through to the service, and what happens when a client goes away.

use super::{Http, initialize, meta, post, run};
use serde_json::{Value, json};
use std::io::{Read, Write};

fn modern(id: u32, method: &str, mut params: Value) -> Value {
    params["_meta"] = meta();
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

#[test]
fn only_this_host_and_no_page_may_call() {
    let server = Http::start(&[]);
    let message = run(1, "1");
    for host in [
        "evil.example",
        "127.0.0.1.evil.example",
        "evil@127.0.0.1",
        "2130706433",
        "localhost.",
        "[::2]",
    ] {
        let answer = server.post(&message, &[("Host", host)]);
        assert!(
            [400, 403].contains(&answer.status),
            "{host}: {} {}",
            answer.status,
            answer.body
        );
    }
    for origin in [
        "http://evil.example",
        "null",
        "http://127.0.0.1",
        "nonsense",
        "http://localhost:3001",
    ] {
        let answer = server.post(&message, &[("Origin", origin)]);
        assert_eq!(answer.status, 403, "{origin}: {}", answer.body);
        assert!(!answer.headers.contains("access-control"), "{}", answer.headers);
    }
    let own = format!("http://{}", server.address);
    assert_eq!(server.post(&message, &[("Origin", &own)]).status, 200);
    for host in ["127.0.0.1", "localhost:80", "[::1]:3001"] {
        let answer = server.post(&message, &[("Host", host)]);
        assert_eq!(answer.status, 200, "{host}: {}", answer.body);
    }
}

#[test]
fn bodies_that_are_no_message_are_refused() {
    let server = Http::start(&[]);
    let sized = |body: &str, more: &[(&str, &str)]| server.exchange(&post(body, more)).status;
    let message = run(1, "1").to_string();
    assert_eq!(sized(&message, &[("Content-Type", "text/plain")]), 415);
    assert_eq!(
        sized(&message, &[("Content-Type", "application/x-www-form-urlencoded")]),
        415
    );
    assert_eq!(sized(&message, &[("Accept", "text/html")]), 406);
    let large = run(1, &"x".repeat(5 << 20)).to_string();
    assert_eq!(sized(&large, &[]), 413);
    let deep = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{}",
        "[".repeat(100_000)
    );
    let batch = format!("[{message},{message}]");
    for body in ["", "{", "nonsense", "\u{feff}", "{}", "[]", "\u{0}", &deep, &batch] {
        let answer = server.exchange(&post(body, &[]));
        assert_eq!(answer.status, 400, "{:.80}: {}", body, answer.body);
        assert_eq!(answer.message()["error"]["code"], -32700, "{:.80}", body);
    }
    for method in ["GET", "DELETE", "PUT", "OPTIONS"] {
        let request = format!("{method} /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
        let answer = server.exchange(request.as_bytes());
        assert_eq!(answer.status, 405, "{method}");
        assert!(!answer.headers.contains("access-control"), "{}", answer.headers);
    }
    assert_eq!(server.post(&run(1, "1"), &[]).status, 200);
}

#[test]
fn headers_of_the_newest_revision_must_say_what_the_body_says() {
    let server = Http::start(&[]);
    let list = modern(1, "tools/list", json!({}));
    let version = ("MCP-Protocol-Version", "2026-07-28");
    let expect = |message: &Value, headers: &[(&str, &str)], status: u16, code: i64| {
        let answer = server.post(message, headers);
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.body);
        assert_eq!(answer.message()["error"]["code"], code, "{headers:?}: {}", answer.body);
        answer
    };
    let good = server.post(&list, &[version, ("Mcp-Method", "tools/list")]);
    assert_eq!(good.message()["result"]["resultType"], "complete", "{}", good.body);
    expect(&list, &[("Mcp-Method", "tools/list")], 400, -32020);
    expect(&list, &[version], 400, -32020);
    expect(&list, &[version, ("Mcp-Method", "tools/call")], 400, -32020);
    expect(
        &list,
        &[("MCP-Protocol-Version", "2025-11-25"), ("Mcp-Method", "tools/list")],
        400,
        -32020,
    );
    let call = modern(
        1,
        "tools/call",
        json!({ "name": "run_code", "arguments": { "code": "1" } }),
    );
    let method = ("Mcp-Method", "tools/call");
    expect(&call, &[version, method], 400, -32020);
    expect(&call, &[version, method, ("Mcp-Name", "list_dir")], 400, -32020);
    expect(
        &call,
        &[version, method, ("Mcp-Name", "=?base64?bGlzdF9kaXI=?=")],
        400,
        -32020,
    );
    let good = server.post(&call, &[version, method, ("Mcp-Name", "run_code")]);
    assert_eq!(
        good.message()["result"]["structuredContent"]["return_value"],
        1,
        "{}",
        good.body
    );
    let good = server.post(&call, &[version, method, ("Mcp-Name", "=?base64?cnVuX2NvZGU=?=")]);
    assert_eq!(good.status, 200, "{}", good.body);
    // A revision nobody knows is answered with those we know.
    let mut unknown = list.clone();
    unknown["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2099-01-01");
    let headers = [("MCP-Protocol-Version", "2099-01-01"), ("Mcp-Method", "tools/list")];
    let answer = expect(&unknown, &headers, 400, -32022);
    let supported = answer.message()["error"]["data"]["supported"].to_string();
    assert!(
        supported.contains("2026-07-28") && supported.contains("2025-03-26"),
        "{supported}"
    );
    // Without what every request must say.
    let bare = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    expect(&bare, &[version, ("Mcp-Method", "tools/list")], 400, -32602);
}

#[test]
fn who_disconnects_gives_the_slot_back() {
    let server = Http::start(&["--concurrency", "1", "--queue", "1"]);
    assert_eq!(server.post(&run(1, "1"), &[]).message()["result"]["isError"], false);
    // Before the first byte of the answer, and in the middle of a stream of events.
    let mut waiting = server.open();
    waiting
        .write_all(&post(&run(2, "while True: pass").to_string(), &[]))
        .expect("it reads");
    std::thread::sleep(std::time::Duration::from_millis(300));
    drop(waiting);
    let params = json!({
        "name": "run_code",
        "arguments": { "code": "while True: pass" },
        "_meta": { "progressToken": "p" },
    });
    let message = json!({ "jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": params });
    let mut streaming = server.open();
    streaming.write_all(&post(&message.to_string(), &[])).expect("it reads");
    let mut seen = vec![0; 4096];
    let read = streaming.read(&mut seen).expect("the first event comes");
    assert!(String::from_utf8_lossy(&seen[..read]).contains("text/event-stream"));
    drop(streaming);
    let answer = server.post(&run(4, "'free'"), &[]);
    assert_eq!(
        answer.message()["result"]["structuredContent"]["return_value"],
        "free",
        "{}",
        answer.body
    );
}

#[test]
fn who_is_refused_because_the_server_is_busy_is_counted() {
    let server = Http::start(&["--concurrency", "1", "--queue", "0"]);
    let params = json!({
        "name": "run_code",
        "arguments": { "code": "while True: pass" },
        "_meta": { "progressToken": "p" },
    });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let mut running = server.open();
    running.write_all(&post(&message.to_string(), &[])).expect("it reads");
    // Progress says that it has been taken up.
    let refused = loop {
        assert!(running.read(&mut [0; 4096]).is_ok_and(|read| read > 0));
        let reply = server.post(&run(2, "1"), &[]).message()["result"]["structuredContent"].clone();
        if reply["status"] == "refused" {
            break reply;
        }
    };
    assert_eq!(refused["error"]["type"], "busy", "{refused}");
    let request = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    let metrics = server.exchange(request).body;
    for line in [
        "prims_runs_total{outcome=\"busy\"} 1\n",
        "prims_runs_total{outcome=\"refused\"} 0\n",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
}

#[test]
fn clients_of_the_handshake_get_an_identifier_for_level_and_cancelling() {
    let server = Http::start(&["--concurrency", "1"]);
    let answer = server.post(&initialize(1, "2025-06-18"), &[]);
    assert_eq!(answer.message()["result"]["protocolVersion"], "2025-06-18");
    let id = answer.header("mcp-session-id").expect("an identifier").to_owned();
    let headers = [("Mcp-Session-Id", &*id), ("MCP-Protocol-Version", "2025-06-18")];
    let level = json!({ "jsonrpc": "2.0", "id": 2, "method": "logging/setLevel", "params": { "level": "warning" } });
    assert_eq!(server.post(&level, &headers).message()["result"], json!({}));
    let code = "import sys\nprint('out')\nprint('err', file=sys.stderr)";
    let lines = |headers: &[(&str, &str)]| {
        let messages = server.post(&run(3, code), headers).messages();
        let data = messages.iter().map(|message| message["params"]["data"].clone());
        data.filter(|data| !data.is_null()).collect::<Vec<_>>()
    };
    assert_eq!(lines(&headers), ["err"]);
    assert_eq!(lines(&[]), Vec::<Value>::new());
    // Another client's identifier cancels nothing, nor does a page's request.
    let mut running = server.open();
    running
        .write_all(&post(&run(4, "while True: pass").to_string(), &headers))
        .expect("it reads");
    std::thread::sleep(std::time::Duration::from_millis(300));
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 4 } });
    let other = server.post(&initialize(1, "2025-06-18"), &[]);
    let other = other.header("mcp-session-id").expect("an identifier").to_owned();
    assert_eq!(server.post(&cancel, &[("Mcp-Session-Id", &*other)]).status, 202);
    let foreign = [("Mcp-Session-Id", &*id), ("Origin", "http://evil.example")];
    assert_eq!(server.post(&cancel, &foreign).status, 403);
    running
        .set_read_timeout(Some(std::time::Duration::from_millis(300)))
        .expect("a timeout");
    assert!(running.read(&mut [0; 16]).is_err(), "nobody may have cancelled it");
    // Until it is heard: the run may not have been taken up yet.
    let mut first = [0; 64];
    loop {
        assert_eq!(server.post(&cancel, &headers).status, 202);
        if running.read(&mut first).is_ok_and(|read| read > 0) {
            break;
        }
    }
    running.set_read_timeout(Some(super::DEADLINE)).expect("a timeout");
    let mut answer = String::new();
    let _ = running.read_to_string(&mut answer);
    assert!(answer.contains("\"cancelled\""), "{answer}");
}

#[test]
fn a_session_can_be_named_by_header_and_is_its_own() {
    let server = Http::start(&[]);
    let create = super::call(1, "create_session", json!({}));
    let session = server.post(&create, &[]).message()["result"]["structuredContent"]["session_id"].clone();
    let session = session.as_str().expect("a handle").to_owned();
    let header = [("mcp-session-id", &*session)];
    server.post(&run(2, "open('kept', 'w').write('x')"), &header);
    let answer = server.post(&run(3, "open('kept').read()"), &header);
    assert_eq!(
        answer.message()["result"]["structuredContent"]["return_value"],
        "x",
        "{}",
        answer.body
    );
    // Without a caller or a connection nobody is told of handles.
    let list = server.post(&super::call(4, "list_sessions", json!({})), &[]).message();
    assert_eq!(list["result"]["structuredContent"]["sessions"], json!([]), "{list}");
    let resources = json!({ "jsonrpc": "2.0", "id": 5, "method": "resources/list" });
    assert_eq!(server.post(&resources, &[]).message()["result"]["resources"], json!([]));
    let wrong = server.post(&run(6, "1"), &[("mcp-session-id", "0123456789abcdef0123456789abcdef")]);
    assert_eq!(
        wrong.message()["result"]["structuredContent"]["status"],
        "refused",
        "{}",
        wrong.body
    );
}

#[test]
fn an_address_others_can_reach_is_refused() {
    let output = super::program(&["streamable-http", "--host", "0.0.0.0", "--port", "0"])
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("is reachable from other machines"), "{said}");
}

#[test]
fn sigterm_lets_runs_end() {
    let mut server = Http::start(&[]);
    let params = json!({
        "name": "run_code",
        "arguments": { "code": "import time\ntime.sleep(1)\n'whole'" },
        "_meta": { "progressToken": "p" },
    });
    let message = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params });
    let mut running = server.open();
    running.write_all(&post(&message.to_string(), &[])).expect("it reads");
    // Progress says that it has begun.
    let mut seen = vec![0; 4096];
    assert!(running.read(&mut seen).is_ok_and(|read| read > 0));
    let pid = server.child.id().to_string();
    let killed = std::process::Command::new("kill").args(["-TERM", &pid]).status();
    assert!(killed.is_ok_and(|status| status.success()));
    let mut answer = String::new();
    let _ = running.read_to_string(&mut answer);
    assert!(answer.contains("'whole'"), "{answer}");
    let status = server.child.wait().expect("it ends");
    assert_eq!(status.code(), Some(0));
}
