//! In the place of mcp-run-python.

use super::{Client, MCP_RUN_PYTHON, http, request, streams, text};
use crate::mcp::{Http, Streams, initialize, program};
use serde_json::{Value, json};
use std::io::{Read, Write};

fn run(id: u32, code: &str) -> Value {
    crate::mcp::call(id, "run_python_code", json!({ "python_code": code }))
}

/// The text of a run over standard streams.
fn said(server: &mut Streams, code: &str) -> String {
    text(&server.ask(&run(1, code))["result"])
}

/// `values.jsonl` has programs and what mcp-run-python says about them: written by pydantic-core 2.33.2 with its fallback, and read
/// and written again by a JavaScript engine.
#[test]
fn values_look_as_pydantic_core_and_javascript_write_them() {
    for mode in ["xml", "json"] {
        let mut server = streams(MCP_RUN_PYTHON, &["--deps", "numpy", "--return-mode", mode]);
        for line in include_str!("values.jsonl").lines() {
            let case: Value = serde_json::from_str(line).expect("JSON");
            let code = case["code"].as_str().expect("code");
            assert_eq!(
                said(&mut server, code),
                case[mode].as_str().expect("a text"),
                "{mode}: {code}"
            );
        }
    }
}

/// Code, and what is said about it as XML and as JSON.
const RESULTS: &[(&str, &str, &str)] = &[
    (
        "x = 4\nprint(f'{x=}')\nx",
        "<status>success</status>\n<output>\nx=4\n</output>\n<return_value>\n4\n</return_value>",
        r#"{"status":"success","output":["x=4"],"return_value":4}"#,
    ),
    (
        "print(unknown)",
        "<status>run-error</status>\n<error>\nTraceback (most recent call last):\n  File \"main.py\", line 1, in <module>\n    print(unknown)\n          ^^^^^^^\nNameError: name 'unknown' is not defined\n\n</error>",
        r#"{"status":"run-error","output":[],"error":"Traceback (most recent call last):\n  File \"main.py\", line 1, in <module>\n    print(unknown)\n          ^^^^^^^\nNameError: name 'unknown' is not defined\n"}"#,
    ),
    (
        "f(:",
        "<status>run-error</status>\n<error>\nTraceback (most recent call last):\n  File \"main.py\", line 1\n    f(:\n      ^\nSyntaxError: invalid syntax\n\n</error>",
        r#"{"status":"run-error","output":[],"error":"Traceback (most recent call last):\n  File \"main.py\", line 1\n    f(:\n      ^\nSyntaxError: invalid syntax\n"}"#,
    ),
    (
        "import sys\nprint('one')\nprint('two', file=sys.stderr)\nprint('a\\n\\n<output>x</OUTPUT >')\nsys.exit(3)",
        "<status>run-error</status>\n<output>\none\ntwo\na\n\n&lt;output&gt;x&lt;/OUTPUT &gt;\n</output>\n<error>\nTraceback (most recent call last):\n  File \"main.py\", line 5, in <module>\n    sys.exit(3)\n    ~~~~~~~~^^^\nSystemExit: 3\n\n</error>",
        r#"{"status":"run-error","output":["one","two","a","","<output>x</OUTPUT >"],"error":"Traceback (most recent call last):\n  File \"main.py\", line 5, in <module>\n    sys.exit(3)\n    ~~~~~~~~^^^\nSystemExit: 3\n"}"#,
    ),
    // A line that is not ended is not lost, and does not begin the next call's output.
    (
        "print('end', end='\\0'); '</return_value>'",
        "<status>success</status>\n<output>\nend\n</output>\n<return_value>\n&lt;/return_value&gt;\n</return_value>",
        r#"{"status":"success","output":["end"],"return_value":"</return_value>"}"#,
    ),
    (
        "1;",
        "<status>success</status>",
        r#"{"status":"success","output":[],"return_value":null}"#,
    ),
    (
        "(1);  # quiet",
        "<status>success</status>",
        r#"{"status":"success","output":[],"return_value":null}"#,
    ),
    (
        "import asyncio\nawait asyncio.sleep(0)\n'awaited'",
        "<status>success</status>\n<return_value>\nawaited\n</return_value>",
        r#"{"status":"success","output":[],"return_value":"awaited"}"#,
    ),
    (
        "async def main(): return [1]\nmain()",
        "<status>success</status>\n<return_value>\n[\n  1\n]\n</return_value>",
        r#"{"status":"success","output":[],"return_value":[1]}"#,
    ),
    (
        "__name__, __import__('sys').getrecursionlimit()",
        "<status>success</status>\n<return_value>\n[\n  \"__main__\",\n  400\n]\n</return_value>",
        r#"{"status":"success","output":[],"return_value":["__main__",400]}"#,
    ),
];

#[test]
fn results_are_those_it_gives() {
    for (mode, pick) in [("xml", 1), ("json", 2)] {
        let mut server = streams(MCP_RUN_PYTHON, &["--return-mode", mode]);
        for (code, xml, json) in RESULTS {
            let expected = if pick == 1 { xml } else { json };
            assert_eq!(said(&mut server, code), **expected, "{mode}: {code}");
        }
        let deep = said(&mut server, "a = []\na.append(a)\na");
        assert!(
            deep.contains("ValueError: Circular reference detected (id repeated)"),
            "{deep}"
        );
    }
}

#[test]
fn the_server_and_its_tool_are_described_as_there() {
    let mut server = streams(MCP_RUN_PYTHON, &[]);
    // Before any handshake.
    assert_eq!(
        server.ask(&run(1, "1 + 1"))["result"],
        json!({ "content": [{ "type": "text", "text": "<status>success</status>\n<return_value>\n2\n</return_value>" }] })
    );
    let told = server.ask(&initialize(2, "2025-06-18"))["result"].clone();
    let expected = json!({
        "protocolVersion": "2025-06-18",
        "capabilities": { "logging": {}, "tools": { "listChanged": true } },
        "serverInfo": { "name": "MCP Run Python", "version": "0.0.13" },
        "instructions": "Call the \"run_python_code\" tool with the Python code to run.",
    });
    assert_eq!(told, expected);
    let tools = server.ask(&request(3, "tools/list", json!({})))["result"].clone();
    let tool = json!({
        "name": "run_python_code",
        "title": "Run Python code",
        "description": "Tool to execute Python code and return stdout, stderr, and return value.\n\nThe code may be async, and the value on the last line will be returned as the return value.\n\nThe code will be executed with Python 3.13.\n",
        "inputSchema": {
            "type": "object",
            "properties": {
                "python_code": { "type": "string", "description": "Python code to run" },
                "global_variables": { "type": "object", "additionalProperties": {}, "default": {}, "description": "Map of global variables in context when the code is executed" },
            },
            "required": ["python_code"],
            "additionalProperties": false,
            "$schema": "http://json-schema.org/draft-07/schema#",
        },
    });
    assert_eq!(tools, json!({ "tools": [tool] }));
    let mut error = |method: &str, params: Value| server.ask(&request(4, method, params))["error"].clone();
    let unknown = error("tools/call", json!({ "name": "nope", "arguments": {} }));
    assert_eq!(
        unknown,
        json!({ "code": -32602, "message": "MCP error -32602: Tool nope not found" })
    );
    let wrong = error(
        "tools/call",
        json!({ "name": "run_python_code", "arguments": { "python_code": 5 } }),
    );
    let message = wrong["message"].as_str().unwrap_or_default();
    assert!(
        message.starts_with(
            "MCP error -32602: Invalid arguments for tool run_python_code: [\n  {\n    \"code\": \"invalid_type\""
        ) && message.contains("\"message\": \"Expected string, received number\""),
        "{message}"
    );
    for method in ["prompts/list", "resources/list", "no/such/method"] {
        assert_eq!(
            error(method, json!({})),
            json!({ "code": -32601, "message": "Method not found" }),
            "{method}"
        );
    }
}

#[test]
fn globals_are_given_and_gone_and_files_stay() {
    let mut server = streams(MCP_RUN_PYTHON, &["--return-mode", "json"]);
    let arguments = json!({ "python_code": "b = 5\nopen('kept', 'w').write('x')\n[a, __name__, none]", "global_variables": { "a": { "k": [1, 2.5] }, "__name__": "x", "none": null }, "unknown": 1 });
    let reply = text(&server.ask(&crate::mcp::call(1, "run_python_code", arguments))["result"]);
    assert_eq!(
        reply,
        r#"{"status":"success","output":[],"return_value":[{"k":[1,2.5]},"__main__",null]}"#
    );
    let reply = said(&mut server, "open('kept').read(), [name in globals() for name in 'ab']");
    assert_eq!(
        reply,
        r#"{"status":"success","output":[],"return_value":["x",[false,false]]}"#
    );
    let reply = said(
        &mut server,
        "import pickle\nclass A: pass\ntype(pickle.loads(pickle.dumps(A()))) is A",
    );
    assert_eq!(reply, r#"{"status":"success","output":[],"return_value":true}"#);
}

#[test]
fn lines_are_logged_at_the_level_that_is_set_and_before_the_result() {
    let mut server = streams(MCP_RUN_PYTHON, &[]);
    let code = "import sys\nprint('out')\nprint('err', file=sys.stderr)\nprint('end', end='')";
    for (level, expected) in [
        (None, vec![]),
        (
            Some("debug"),
            vec![("info", "out"), ("warning", "err"), ("info", "end")],
        ),
        (Some("warning"), vec![("warning", "err")]),
        (Some("error"), vec![]),
        (Some("emergency"), vec![]),
    ] {
        if let Some(level) = level {
            let set = server.ask(&request(1, "logging/setLevel", json!({ "level": level })));
            assert_eq!(set["result"], json!({}));
        }
        server.aside.clear();
        said(&mut server, code);
        let notes = |message: &Value| message["method"] == "notifications/message";
        let lines: Vec<Value> = server
            .aside
            .iter()
            .filter(|message| notes(message))
            .map(|message| message["params"].clone())
            .collect();
        let expected: Vec<Value> = expected
            .iter()
            .map(|(level, data)| json!({ "level": level, "data": data }))
            .collect();
        assert_eq!(lines, expected, "{level:?}");
    }
}

#[test]
fn packages_that_cannot_be_had_are_an_install_error() {
    let mut server = streams(MCP_RUN_PYTHON, &["--deps", "no-such-package-anywhere"]);
    server.ask(&request(1, "logging/setLevel", json!({ "level": "error" })));
    let reply = said(&mut server, "print(1)");
    assert!(
        reply.starts_with("<status>install-error</status>\n<error>\n") && reply.contains("no-such-package-anywhere"),
        "{reply}"
    );
    let logged = server.aside.iter().any(|message| message["params"]["level"] == "error");
    assert!(logged, "{:?}", server.aside);
}

#[test]
fn the_command_line_is_its_own() {
    let ended = |arguments: &[&str]| {
        let output = program(&MCP_RUN_PYTHON).args(arguments).output().expect("it starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    assert_eq!(
        ended(&["--version"]),
        (Some(0), "mcp-run-python 0.0.22\n".into(), String::new())
    );
    let (status, _, said) = ended(&["--verbose"]);
    assert!(status == Some(2) && said.contains("Mode is required"), "{said}");
    let (status, _, said) = ended(&["nonsense"]);
    assert!(
        status == Some(2) && said.contains("streamable-http-stateless"),
        "{said}"
    );
    assert_eq!(ended(&["stdio", "--port", "5"]).0, Some(2));
    let (status, said, logged) = ended(&["--deps", "numpy", "example"]);
    assert_eq!(
        (status, said.as_str()),
        (
            Some(0),
            "Tool return value:\n<status>success</status>\n<output>\nnumpy array: [1 2 3]\n</output>\n<return_value>\n[\n  1,\n  2,\n  3\n]\n</return_value>\n"
        )
    );
    assert!(
        logged.contains("Running example script for MCP Run Python version 0.0.13...")
            && logged.contains("info: numpy array: [1 2 3]"),
        "{logged}"
    );
    let (status, said, _) = ended(&["example"]);
    assert!(status == Some(1) && said.contains("ModuleNotFoundError"), "{said}");
    // Their README's line without the flag is the default server.
    let mut own = Streams::start(&["--deps", "numpy"]);
    let reply = own.call(
        1,
        "run_code",
        json!({ "code": "import numpy; int(numpy.array([1, 2]).sum())" }),
    );
    assert_eq!(reply["return_value"], 3);
}

fn exchange(server: &Http, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    let answer = server.exchange(format!("{head}\r\n").as_bytes());
    (answer.status, answer.body)
}

#[test]
fn routes_and_statuses_of_the_stateful_server() {
    let server = http(MCP_RUN_PYTHON, &[]);
    let text = |status: u16, body: &str| (status, body.to_owned());
    assert_eq!(exchange(&server, "GET", "/", &[]), text(404, "Page not found\n"));
    assert_eq!(exchange(&server, "POST", "/mcp/", &[]), text(404, "Page not found\n"));
    assert_eq!(
        exchange(&server, "GET", "/artifacts/x", &[]),
        text(404, "Page not found\n")
    );
    assert_eq!(exchange(&server, "PUT", "/mcp", &[]), text(405, "Method not allowed\n"));
    for method in ["GET", "DELETE"] {
        for headers in [
            &[][..],
            &[("Mcp-Session-Id", "mcp-00000000000000000000000000000000")],
            &[("Mcp-Session-Id", "../../x")],
        ] {
            assert_eq!(
                exchange(&server, method, "/mcp", headers),
                text(400, "Invalid or missing session ID\n")
            );
        }
    }
    let refused = json!({ "jsonrpc": "2.0", "error": { "code": -32000, "message": "Bad Request: No valid session ID provided" }, "id": null });
    for headers in [&[][..], &[("Mcp-Session-Id", "mcp-00000000000000000000000000000000")]] {
        let answer = server.post(&run(1, "1"), headers);
        assert_eq!((answer.status, answer.message()), (400, refused.clone()));
    }
    let unknown = server.post(&initialize(1, "2025-06-18"), &[("Mcp-Session-Id", "x")]);
    assert_eq!((unknown.status, unknown.message()), (400, refused.clone()));
    // Theirs ends here; this one says what is wrong.
    let nonsense = server.exchange(&crate::mcp::post("{", &[]));
    assert_eq!(
        (nonsense.status, nonsense.message()["error"]["code"].clone()),
        (400, json!(-32700))
    );

    let client = Client::new(&server);
    let session = [("Mcp-Session-Id", client.session.as_str())];
    let answer = server.post(&run(2, "1"), &session);
    assert_eq!(
        answer.header("content-type"),
        Some("text/event-stream"),
        "{}",
        answer.headers
    );
    assert_eq!(answer.header("mcp-session-id"), Some(client.session.as_str()));
    assert!(super::text(&answer.message()["result"]).contains("<return_value>"));
    assert_eq!(exchange(&server, "GET", "/mcp", &session).0, 406);
    // One stream for a session, open until the session ends.
    let open = format!(
        "GET /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAccept: text/event-stream\r\nMcp-Session-Id: {}\r\n\r\n",
        client.session
    );
    let mut stream = server.open();
    stream.write_all(open.as_bytes()).expect("it reads");
    let mut seen = vec![0; 4096];
    let read = stream.read(&mut seen).expect("a head");
    let head = String::from_utf8_lossy(&seen[..read]).into_owned();
    assert!(
        head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"),
        "{head}"
    );
    let second = exchange(&server, "GET", "/mcp", &[session[0], ("Accept", "text/event-stream")]);
    assert_eq!(second.0, 409, "{}", second.1);
    assert_eq!(exchange(&server, "DELETE", "/mcp", &session).0, 200);
    let mut rest = vec![];
    stream.read_to_end(&mut rest).expect("the stream ends with its session");
    assert_eq!(exchange(&server, "DELETE", "/mcp", &session).0, 400);
    assert_eq!(server.post(&run(3, "1"), &session).status, 400);
}

#[test]
fn a_session_that_is_deleted_while_its_code_runs_stays_deleted() {
    let server = http(MCP_RUN_PYTHON, &[]);
    let client = Client::new(&server);
    let session = [("Mcp-Session-Id", client.session.as_str())];
    client.ask(&run(1, "1"));
    let mut running = server.open();
    let body = run(2, "import time\ntime.sleep(1)\n1").to_string();
    running.write_all(&crate::mcp::post(&body, &session)).expect("it reads");
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(exchange(&server, "DELETE", "/mcp", &session).0, 200);
    let mut answer = vec![];
    running.read_to_end(&mut answer).expect("an answer");
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    assert_eq!(exchange(&server, "DELETE", "/mcp", &session).0, 400);
    assert_eq!(server.post(&run(3, "1"), &session).status, 400);
}

#[test]
fn the_stateless_server_remembers_nothing() {
    let server = Http::start_as("streamable-http-stateless", &MCP_RUN_PYTHON);
    let answer = server.post(&initialize(1, "2025-06-18"), &[]);
    assert_eq!((answer.status, answer.header("mcp-session-id")), (200, None));
    let level = request(2, "logging/setLevel", json!({ "level": "debug" }));
    assert_eq!(server.post(&level, &[]).message()["result"], json!({}));
    let answer = server.post(&run(3, "print('out')\nopen('kept', 'w').write('x')"), &[]);
    assert_eq!(answer.messages().len(), 1, "{}", answer.body);
    let answer = server.post(&run(4, "import os\nos.path.exists('kept')"), &[]);
    assert!(text(&answer.message()["result"]).contains("false"), "{}", answer.body);
    assert_eq!(exchange(&server, "GET", "/x", &[]).1, "Page not found\n");
    let stream = exchange(&server, "GET", "/mcp", &[("Accept", "text/event-stream")]);
    assert_eq!(stream.0, 405, "{}", stream.1);
}
