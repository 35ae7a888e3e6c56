//! In the place of PRIMS.

use super::{Client, PRIMS, http, request, text};
use crate::mcp::{Http, initialize};
use serde_json::{Value, json};

/// What a successful tool says, which is JSON.
fn said(client: &Client, tool: &str, arguments: Value) -> Value {
    let result = client.call(tool, arguments);
    assert_eq!(result["isError"], false, "{result}");
    let text = serde_json::from_str(&text(&result)).expect("JSON");
    let structured = &result["structuredContent"];
    assert_eq!(structured.get("result").unwrap_or(structured), &text);
    text
}

/// Calls that fail, and what they say. `{path}` stands for nothing: paths are as the client wrote them.
const FAILURES: &[(&str, &str, &str)] = &[
    (
        "list_dir",
        r#"{"dir_path": "nowhere"}"#,
        "Specified path is not a directory",
    ),
    (
        "list_dir",
        r#"{"dir_path": "output/a.txt"}"#,
        "Specified path is not a directory",
    ),
    (
        "list_dir",
        r#"{"dir_path": "../x"}"#,
        "Path must be relative to session root and may not contain '..'.",
    ),
    (
        "list_dir",
        r#"{"dir_path": "/etc"}"#,
        "Path must be relative to session root and may not contain '..'.",
    ),
    ("preview_file", r#"{"relative_path": "nowhere"}"#, "File not found"),
    ("preview_file", r#"{"relative_path": "output"}"#, "File not found"),
    (
        "preview_file",
        r#"{"relative_path": "output/large"}"#,
        "File too large for preview",
    ),
    (
        "mount_file",
        r#"{"url": "https://x.example/", "mount_path": "../x"}"#,
        "mount_path must be a relative path without '..'",
    ),
    (
        "mount_file",
        r#"{"url": "https://x.example/", "mount_path": ""}"#,
        "mount_path must be a relative path without '..'",
    ),
    (
        "persist_artifact",
        r#"{"relative_path": "../x", "presigned_url": "https://x.example/"}"#,
        "relative_path must be inside output/ and cannot contain '..'",
    ),
    (
        "persist_artifact",
        r#"{"relative_path": "nowhere", "presigned_url": "https://x.example/"}"#,
        "Artifact not found: nowhere",
    ),
    (
        "persist_artifact",
        r#"{"relative_path": "huge", "presigned_url": "https://x.example/"}"#,
        "Artifact exceeds size limit (20971520 bytes)",
    ),
];

#[test]
fn tools_shapes_and_messages_are_its_own() {
    let server = http(PRIMS, &["--timeout", "2s", "--memory", "256m"]);
    let told = server.post(&initialize(1, "2025-06-18"), &[]).message()["result"].clone();
    assert_eq!(told["serverInfo"], json!({ "name": "primcs", "version": "0.1.0" }));
    let client = Client::new(&server);
    let tools = client.ask(&request(2, "tools/list", json!({})))["result"]["tools"].clone();
    let names: Vec<_> = tools
        .as_array()
        .into_iter()
        .flatten()
        .map(|tool| tool["name"].clone())
        .collect();
    assert_eq!(
        names,
        ["run_code", "persist_artifact", "list_dir", "preview_file", "mount_file"]
    );

    let code = "  import os\n  os.makedirs('output/b')\n  open('output/a.txt', 'w').write('hello')\n  open('output/b/c.bin', 'wb').write(b'1')\n  print('done')\n  6 * 7";
    let ran = said(
        &client,
        "run_code",
        json!({ "code": code, "requirements": null, "files": null }),
    );
    let expected = json!({
        "stdout": "done\n",
        "stderr": "",
        "artifacts": [
            { "name": "a.txt", "relative_path": "a.txt", "size": 5, "mime": "text/plain" },
            { "name": "c.bin", "relative_path": "b/c.bin", "size": 1, "mime": "application/octet-stream" },
        ],
        "session_id": client.session,
    });
    assert_eq!(ran, expected);
    // An exception is a result, and silence comes with advice.
    let raised = said(&client, "run_code", json!({ "code": "1 / 0" }));
    let stderr = raised["stderr"].as_str().unwrap_or_default();
    assert!(stderr.ends_with("ZeroDivisionError: division by zero\n"), "{stderr}");
    assert!(
        raised["feedback"]
            .as_str()
            .is_some_and(|text| text.starts_with("No output detected.")),
        "{raised}"
    );
    assert!(said(&client, "run_code", json!({ "code": "import sys; sys.exit(3)" }))["artifacts"].is_array());

    let listed = said(&client, "list_dir", json!({}));
    let entries: Vec<_> = listed
        .as_array()
        .into_iter()
        .flatten()
        .map(|entry| (entry["name"].clone(), entry["type"].clone()))
        .collect();
    assert_eq!(
        entries,
        [
            (json!("mounts"), json!("directory")),
            (json!("output"), json!("directory"))
        ]
    );
    assert_eq!(said(&client, "list_dir", json!({ "dir_path": "." })), listed);
    let output = said(&client, "list_dir", json!({ "dir_path": "output" }));
    assert_eq!(
        (&output[0]["path"], &output[0]["size"]),
        (&json!("output/a.txt"), &json!(5))
    );
    let preview = said(&client, "preview_file", json!({ "relative_path": "output/a.txt" }));
    assert_eq!(
        preview,
        json!({ "name": "a.txt", "path": "output/a.txt", "size": 5, "mime": "text/plain", "content": "hello" })
    );
    said(
        &client,
        "run_code",
        json!({ "code": "open('output/large', 'w').write('x' * 32769)\nopen('output/edge', 'w').write('x' * 32768)\nopen('output/huge', 'w').write('x' * (20 << 20)); open('output/huge', 'a').write('x')" }),
    );
    let edge = said(&client, "preview_file", json!({ "relative_path": "output/edge" }));
    assert_eq!(edge["content"].as_str().map(str::len), Some(8192));

    for (tool, arguments, message) in FAILURES {
        let result = client.call(tool, serde_json::from_str(arguments).expect("JSON"));
        assert_eq!(
            text(&result),
            format!("Error calling tool '{tool}': {message}"),
            "{arguments}"
        );
        assert_eq!(result["isError"], true);
    }
    assert_eq!(
        text(&client.call("create_session", json!({}))),
        "Unknown tool: 'create_session'"
    );
}

#[test]
fn runs_that_fail_are_errors_with_feedback() {
    let server = http(PRIMS, &["--timeout", "2s"]);
    let client = Client::new(&server);
    let feedback = "\nFEEDBACK: An error occurred. Please ensure your code is self-contained, uses print statements for output, and is not written in notebook style.";
    let most = format!("#{}", "é".repeat(19_999));
    assert_eq!(client.call("run_code", json!({ "code": most }))["isError"], false);
    let too_large = client.text("run_code", json!({ "code": format!("{most}é") }));
    assert_eq!(
        too_large,
        "Error calling tool 'run_code': Code block too large (20k char limit)"
    );
    let slow = client.text("run_code", json!({ "code": "while True: pass" }));
    assert_eq!(
        slow,
        format!("Error calling tool 'run_code': Execution timed out after 2s{feedback}")
    );
    let missing = client.text(
        "run_code",
        json!({ "code": "1", "requirements": ["no-such-package-anywhere"] }),
    );
    assert!(
        missing.starts_with("Error calling tool 'run_code': pip install failed: ") && missing.ends_with(feedback),
        "{missing}"
    );
    let nameless = client.text(
        "run_code",
        json!({ "code": "1", "files": [{ "url": "https://x.example/" }] }),
    );
    assert_eq!(
        nameless,
        format!("Error calling tool 'run_code': Each file entry must include a non-empty 'mountPath' key.{feedback}")
    );
    let figures = super::figures(&server);
    for line in ["outcome=\"refused\"} 2\n", "outcome=\"install_error\"} 1\n"] {
        assert!(figures.contains(line), "{figures}");
    }
    // Without a session there are no files to look at, and a run is alone.
    let alone = server.post(&crate::mcp::call(1, "list_dir", json!({})), &[]).message();
    assert_eq!(
        text(&alone["result"]),
        "Error calling tool 'list_dir': Missing session_id; ensure the client includes the mcp-session-id header or uses a session-aware context."
    );
    let alone = server
        .post(&crate::mcp::call(1, "run_code", json!({ "code": "print(1)" })), &[])
        .message();
    assert_eq!(
        alone["result"]["structuredContent"],
        json!({ "stdout": "1\n", "stderr": "", "artifacts": [] })
    );
}

#[test]
fn the_prompt_asks_for_code() {
    let server = http(PRIMS, &[]);
    let client = Client::new(&server);
    let prompts = client.ask(&request(2, "prompts/list", json!({})))["result"]["prompts"].clone();
    assert_eq!(
        (&prompts[0]["name"], &prompts[0]["arguments"][0]["required"]),
        (&json!("python_programmer"), &json!(true))
    );
    let get = |arguments: Value| {
        client.ask(&request(
            3,
            "prompts/get",
            json!({ "name": "python_programmer", "arguments": arguments }),
        ))
    };
    let prompt = get(json!({ "task": " add up ", "mounted_files": "[\"a.csv\", \"b.csv\"]" }));
    let message = &prompt["result"]["messages"][0];
    let text = message["content"]["text"].as_str().unwrap_or_default();
    assert!(
        message["role"] == "user" && text.contains("<task>\nadd up\n</task>") && text.contains("a.csv\nb.csv"),
        "{text}"
    );
    assert_eq!(get(json!({}))["error"]["code"], -32602);
}

/// Status, type and body of a download.
fn download(server: &Http, path: &str, session: Option<&str>) -> (u16, String) {
    let header = session
        .map(|session| format!("mcp-session-id: {session}\r\n"))
        .unwrap_or_default();
    let head = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{header}\r\n");
    let answer = server.exchange(head.as_bytes());
    (answer.status, answer.body)
}

#[test]
fn artifacts_are_downloaded_with_the_session_header() {
    let server = http(PRIMS, &[]);
    let client = Client::new(&server);
    let code = "import os\nos.makedirs('output/d')\nopen('output/d/a b.txt', 'w').write('text')\nopen('secret', 'w').write('s')\nprint(1)";
    said(&client, "run_code", json!({ "code": code }));
    let session = Some(client.session.as_str());
    let answered = |status: u16, body: &str| (status, body.to_owned());
    assert_eq!(
        download(&server, "/artifacts/d/a%20b.txt", session),
        answered(200, "text")
    );
    assert_eq!(download(&server, "/artifacts/d", session), answered(404, "Not a file"));
    assert_eq!(
        download(&server, "/artifacts/nowhere", session),
        answered(404, "File not found")
    );
    assert_eq!(
        download(&server, "/artifacts/d/a%20b.txt", None),
        answered(400, "Missing mcp-session-id header")
    );
    for path in [
        "/artifacts/../secret",
        "/artifacts/%2e%2e/secret",
        "/artifacts//etc/passwd",
    ] {
        assert_eq!(
            download(&server, path, session),
            answered(400, "Invalid artifact path"),
            "{path}"
        );
    }
    let other = Client::new(&server);
    assert_eq!(download(&server, "/artifacts/d/a%20b.txt", Some(&other.session)).0, 404);
}
