//! REST, gRPC and the MCP tool of the BeeAI code interpreter: the real program, by real requests.
//!
//! `rest/exchanges.json` has requests and answers: `$name` stands for an identifier that an answer gave, `~text` for a text with that
//! in it.

use super::mcp::{Answer, DEADLINE, clients, program};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The server, killed when the test is over.
struct Rest {
    child: Child,
    http: SocketAddr,
    grpc: Option<SocketAddr>,
    /// Files by identifier.
    files: tempfile::TempDir,
}

impl Rest {
    fn start(arguments: &[&str]) -> Rest {
        let files = tempfile::tempdir().expect("a folder");
        Rest::start_in(files, arguments)
    }

    fn start_in(files: tempfile::TempDir, arguments: &[&str]) -> Rest {
        super::prepared(&["numpy"]);
        let mut command = program(&["serve-rest", "--port", "0"]);
        if !arguments.contains(&"--no-grpc") {
            command.args(["--grpc-port", "0"]);
        }
        let mut child = command
            .args(arguments)
            .env("APP_FILE_STORAGE_PATH", files.path())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let (mut http, mut grpc, mut said) = (None, None, String::new());
        for line in lines.by_ref().map_while(Result::ok) {
            if let Some((_, address)) = line.split_once("serving gRPC on ") {
                grpc = address.parse().ok();
            }
            if let Some((_, url)) = line.split_once("serving REST on http://") {
                http = url.split('/').next().and_then(|address| address.parse().ok());
                break;
            }
            said += &line;
        }
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Rest {
            http: http.unwrap_or_else(|| panic!("it says where it listens: {said}")),
            grpc,
            child,
            files,
        }
    }

    fn stop(mut self) -> tempfile::TempDir {
        let _ = self.child.kill();
        let _ = self.child.wait();
        std::mem::replace(&mut self.files, tempfile::tempdir().expect("a folder"))
    }

    fn open(&self) -> TcpStream {
        let stream = TcpStream::connect(self.http).expect("it listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        stream
    }

    fn send(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = self.open();
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(request);
        let mut bytes = vec![];
        let _ = stream.read_to_end(&mut bytes);
        bytes
    }

    fn post(&self, path: &str, body: &[u8], headers: &[(&str, &str)]) -> Answer {
        Answer::read(&self.send(&request("POST", path, body, headers)))
    }

    fn execute(&self, body: &Value) -> Value {
        let answer = self.post("/v1/execute", body.to_string().as_bytes(), &[]);
        assert_eq!(answer.status, 200, "{body}: {}", answer.body);
        serde_json::from_str(&answer.body).expect("JSON")
    }

    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        Answer::read(&self.send(&request("GET", path, b"", headers)))
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn request(method: &str, path: &str, body: &[u8], more: &[(&str, &str)]) -> Vec<u8> {
    let length = body.len().to_string();
    let mut usual = vec![("Host", "127.0.0.1"), ("Connection", "close")];
    if method == "POST" {
        usual.extend([("Content-Type", "application/json"), ("Content-Length", &*length)]);
    }
    let given = |name: &str| more.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    for (name, value) in usual.iter().filter(|(name, _)| !given(name)).chain(more) {
        head += &format!("{name}: {value}\r\n");
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// Puts identifiers into a request.
fn filled(value: &Value, known: &HashMap<String, String>) -> Value {
    match value {
        Value::String(text) => match text.strip_prefix('$') {
            Some(name) => json!(known[name]),
            None => value.clone(),
        },
        Value::Array(values) => values.iter().map(|value| filled(value, known)).collect(),
        Value::Object(object) => {
            let fields = object.iter().map(|(name, value)| (name.clone(), filled(value, known)));
            Value::Object(fields.collect())
        }
        value => value.clone(),
    }
}

/// Whether an answer is as expected; learns identifiers.
fn fits(expected: &Value, found: &Value, known: &mut HashMap<String, String>) -> bool {
    match (expected, found) {
        (Value::String(text), Value::String(found)) => match (text.strip_prefix('$'), text.strip_prefix('~')) {
            (Some(name), _) => {
                let is_one = found.len() == 64 && found.bytes().all(|byte| byte.is_ascii_hexdigit());
                is_one && known.entry(name.to_owned()).or_insert_with(|| found.clone()) == found
            }
            (_, Some(part)) => found.contains(part),
            _ => text == found,
        },
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len() && expected.iter().zip(found).all(|(a, b)| fits(a, b, known))
        }
        (Value::Object(expected), Value::Object(found)) => {
            let mut names = expected.iter();
            expected.len() == found.len()
                && names.all(|(name, value)| found.get(name).is_some_and(|found| fits(value, found, known)))
        }
        (expected, found) => expected == found,
    }
}

#[test]
fn requests_are_answered_as_the_file_says() {
    let exchanges: Vec<Value> = serde_json::from_str(include_str!("rest/exchanges.json")).expect("JSON");
    assert!(exchanges.len() > 50);
    let server = Rest::start(&["--no-grpc"]);
    let mut known = HashMap::new();
    for exchange in exchanges {
        let body = match exchange["text"].as_str() {
            Some(text) => text.to_owned(),
            None => filled(&exchange["body"], &known).to_string(),
        };
        let answer = server.post(exchange["path"].as_str().expect("a path"), body.as_bytes(), &[]);
        let found: Value = serde_json::from_str(&answer.body).unwrap_or_else(|_| json!(answer.body));
        let expected = filled_patterns(&exchange["answer"], &known);
        assert!(
            exchange["status"] == answer.status && fits(&expected, &found, &mut known),
            "{}: {} {found:#}",
            exchange["what"],
            answer.status
        );
    }
    assert_ne!(known["file"], known["changed"]);
}

/// Identifiers that appear in an answer as input.
fn filled_patterns(expected: &Value, known: &HashMap<String, String>) -> Value {
    match expected {
        Value::Object(object) if object.contains_key("input") => filled(expected, known),
        Value::Object(object) => {
            let fields = object
                .iter()
                .map(|(name, value)| (name.clone(), filled_patterns(value, known)));
            Value::Object(fields.collect())
        }
        Value::Array(values) => values.iter().map(|value| filled_patterns(value, known)).collect(),
        value => value.clone(),
    }
}

#[test]
fn files_go_in_and_out_and_outlive_the_process() {
    let server = Rest::start(&["--no-grpc"]);
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let uploaded = server.post("/v1/files", &bytes, &[("Content-Type", "application/octet-stream")]);
    assert_eq!(uploaded.status, 201, "{}", uploaded.body);
    let uploaded: Value = serde_json::from_str(&uploaded.body).expect("JSON");
    assert_eq!(uploaded["size"], 300_000);
    let id = uploaded["id"].as_str().expect("an identifier").to_owned();
    let code = "data = open('in.bin', 'rb').read()\nopen('out.bin', 'wb').write(data[::-1])";
    let done = server.execute(&json!({"source_code": code, "files": {"/workspace/in.bin": id}}));
    let out = done["files"]["/workspace/out.bin"].as_str().expect("a file").to_owned();
    let server = Rest::start_in(server.stop(), &["--no-grpc"]);
    let raw = server.send(&request("GET", &format!("/v1/files/{out}"), b"", &[]));
    let at = raw.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
    let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
    assert!(raw[at..] == reversed, "{}", String::from_utf8_lossy(&raw[..at]));
    let head = String::from_utf8_lossy(&raw[..at]).to_ascii_lowercase();
    for line in [
        "content-disposition: attachment",
        "x-content-type-options: nosniff",
        "sandbox",
    ] {
        assert!(head.contains(line), "{head}");
    }
    // A download that was cut off goes on, although the file has been used since.
    let tag = head
        .lines()
        .find_map(|line| line.strip_prefix("etag: "))
        .expect("a tag");
    let part = |tag: &str| {
        let headers = [("Range", "bytes=299990-"), ("If-Range", tag)];
        server.send(&request("GET", &format!("/v1/files/{out}"), b"", &headers))
    };
    let rest = part(tag);
    assert!(
        rest.starts_with(b"HTTP/1.1 206") && rest.ends_with(&reversed[299_990..]),
        "{}",
        String::from_utf8_lossy(&rest[..rest.len() - 10])
    );
    assert!(part("\"other\"").starts_with(b"HTTP/1.1 200"));
    let behind = server.get(&format!("/v1/files/{out}"), &[("Range", "bytes=300000-")]);
    assert_eq!((behind.status, behind.body.as_str()), (416, ""));
    assert_eq!(behind.header("content-range"), Some("bytes */300000"));
    for path in [
        "0",
        "..%2fsecret",
        "../secret",
        "%2e%2e/secret",
        &"0".repeat(64),
        &"a".repeat(300),
    ] {
        let answer = server.get(&format!("/v1/files/{path}"), &[]);
        assert_eq!(answer.status, 404, "{path}: {}", answer.body);
    }
    for (method, path) in [("GET", "/v1/files"), ("GET", "/v1/execute"), ("DELETE", "/v1/execute")] {
        let answer = Answer::read(&server.send(&request(method, path, b"", &[])));
        assert_eq!(
            (answer.status, &*answer.body),
            (405, "{\"detail\":\"Method Not Allowed\"}"),
            "{method} {path}"
        );
    }
}

#[test]
fn the_document_describes_every_route() {
    let server = Rest::start(&["--no-grpc"]);
    let answer = server.get("/openapi.json", &[]);
    let document: Value = serde_json::from_str(&answer.body).expect("JSON");
    let paths: Vec<&String> = document["paths"].as_object().expect("paths").keys().collect();
    assert_eq!(
        paths,
        [
            "/v1/execute",
            "/v1/parse-custom-tool",
            "/v1/execute-custom-tool",
            "/v1/files",
            "/v1/files/{id}"
        ]
    );
    let shapes = document["components"]["schemas"].as_object().expect("shapes");
    assert_eq!(shapes["ExecuteRequest"]["required"], json!(["source_code"]));
    // Every reference leads somewhere.
    let text = document.to_string();
    for reference in text
        .split("\"$ref\":\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
    {
        let name = reference.strip_prefix("#/components/schemas/").expect(reference);
        assert!(shapes.contains_key(name), "{reference}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("openapi.json");
    std::fs::write(&file, text).expect("written");
    python(
        "grpc.txt",
        "grpc",
        "openapi_check.py",
        &[file.to_str().expect("a path")],
    );
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert!([200, 503].contains(&server.get(path, &[]).status), "{path}");
    }
    assert_eq!(server.get("/mcp", &[]).status, 404);
}

const ALICE: &str = "0123456789abcdef0123456789abcdef";

/// The path of a file with the tokens of two callers.
fn tokens(folder: &tempfile::TempDir) -> String {
    let path = folder.path().join("tokens");
    std::fs::write(&path, format!("alice:{ALICE}\nbob:fedcba9876543210fedcba9876543210\n")).expect("written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&path, mode).expect("a mode");
    path.to_str().expect("a path").to_owned()
}

#[test]
fn the_edge_protects_rest_as_it_does_mcp() {
    let folder = tempfile::tempdir().expect("a folder");
    let tokens = tokens(&folder);
    let server = Rest::start(&["--no-grpc", "--auth-token-file", &tokens, "--max-body", "64k"]);
    let alice = format!("Bearer {ALICE}");
    let alice = ("Authorization", &*alice);
    let bob = ("Authorization", "Bearer fedcba9876543210fedcba9876543210");
    let body = json!({"source_code": "open('mine', 'w').write('x')"}).to_string();
    let refused = |headers: &[(&str, &str)], body: &[u8], status: u16| {
        let answer = server.post("/v1/execute", body, headers);
        let detail: Value = serde_json::from_str(&answer.body).expect("JSON");
        assert!(
            answer.status == status && detail["detail"].is_string(),
            "{headers:?}: {} {}",
            answer.status,
            answer.body
        );
    };
    refused(&[], body.as_bytes(), 401);
    refused(&[alice, ("Host", "evil.example")], body.as_bytes(), 403);
    refused(&[alice, ("Origin", "http://evil.example")], body.as_bytes(), 403);
    refused(&[alice, ("Content-Type", "text/plain")], body.as_bytes(), 415);
    refused(&[alice], &vec![b' '; 100 << 10], 413);
    refused(&[alice], "[".repeat(1000).as_bytes(), 400);
    let answer = server.post("/v1/execute", body.as_bytes(), &[alice]);
    let done: Value = serde_json::from_str(&answer.body).expect("JSON");
    let path = format!(
        "/v1/files/{}",
        done["files"]["/workspace/mine"].as_str().expect("a file")
    );
    assert_eq!(server.get(&path, &[alice]).status, 200);
    // Somebody else's file is not there.
    assert_eq!(server.get(&path, &[bob]).status, 404);
    assert_eq!(server.get(&path, &[]).status, 401);
    // What a server lacks it lacks for everybody.
    for path in ["/artifacts/x?session_id=a", "/mcp", "/nowhere"] {
        let answer = server.get(path, &[]);
        assert_eq!(
            (answer.status, &*answer.body),
            (404, "{\"detail\":\"Not Found\"}"),
            "{path}"
        );
    }
}

#[test]
fn runs_that_do_not_come_to_run_are_counted() {
    let server = Rest::start(&["--no-grpc", "--concurrency", "1", "--queue", "0"]);
    server.execute(&json!({"source_code": ""}));
    let uploaded = server.post("/v1/files", b"content", &[]);
    let id = serde_json::from_str::<Value>(&uploaded.body).expect("JSON")["id"].clone();
    let unknown = json!({"source_code": "", "files": {"/workspace/a": "0"}}).to_string();
    assert_eq!(server.post("/v1/execute", unknown.as_bytes(), &[]).status, 404);
    let taken = json!({"source_code": "", "files": {"/workspace/a": id, "/workspace/a/b": id}}).to_string();
    assert_eq!(server.post("/v1/execute", taken.as_bytes(), &[]).status, 422);
    let endless = json!({"source_code": "while True: pass", "timeout": 300}).to_string();
    let mut holding = server.open();
    holding
        .write_all(&request("POST", "/v1/execute", endless.as_bytes(), &[]))
        .expect("it reads");
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(server.post("/v1/execute", endless.as_bytes(), &[]).status, 503);
    let figures = server.get("/metrics", &[]).body;
    for line in [
        "prims_runs_total{outcome=\"success\"} 1\n",
        "prims_runs_total{outcome=\"refused\"} 2\n",
        "prims_runs_total{outcome=\"busy\"} 1\n",
        "prims_runs_total{outcome=\"fault\"} 0\n",
    ] {
        assert!(figures.contains(line), "{figures}");
    }
    drop(holding);
    let server = Rest::start(&["--no-grpc", "--deps", "no-such-package-anywhere"]);
    let done = server.execute(&json!({"source_code": ""}));
    assert_eq!(done["exit_code"], 1, "{done}");
    let figures = server.get("/metrics", &[]).body;
    assert!(
        figures.contains("prims_runs_total{outcome=\"install_error\"} 1\n"),
        "{figures}"
    );
}

#[test]
fn files_that_are_given_come_back_only_if_they_were_written_to() {
    let server = Rest::start(&["--no-grpc"]);
    let upload = |content: &[u8]| {
        let uploaded = server.post("/v1/files", content, &[]);
        serde_json::from_str::<Value>(&uploaded.body).expect("JSON")["id"].clone()
    };
    let (one, other) = (upload(b"one"), upload(b"two"));
    let given: serde_json::Map<_, _> = ["read", "same", "other", "moved", "gone", "touched"]
        .map(|name| (format!("/workspace/{name}"), one.clone()))
        .into_iter()
        .collect();
    let code = "import os\nprint(sorted(os.listdir('.')), open('read').read())\nopen('same', 'r+').write('one')\nopen('other', 'r+').write('two')\nos.rename('gone', 'moved')\nos.utime('touched', (1, 1))\nopen('new', 'w').write('two')";
    let done = server.execute(&json!({"source_code": code, "files": given}));
    assert_eq!(
        done["stdout"], "['gone', 'moved', 'other', 'read', 'same', 'touched'] one\n",
        "{done}"
    );
    let expected = json!({
        "/workspace/moved": one,
        "/workspace/new": other,
        "/workspace/other": other,
        "/workspace/same": one,
        "/workspace/touched": one,
    });
    assert_eq!(done["files"], expected);
}

/// What brought the BeeAI code interpreter down, or let code out of its workspace.
#[test]
fn attacks_on_the_bee_code_interpreter_end_at_their_bounds() {
    let server = Rest::start(&["--no-grpc", "--files", "8m", "--output", "64k", "--files-bytes", "16m"]);
    // A flood of output, of memory, of files.
    let done = server.execute(&json!({"source_code": "while True: print('x' * 1000)", "timeout": 2}));
    assert_eq!(done["exit_code"], -1, "{done:.300}");
    let done = server.execute(&json!({"source_code": "for i in range(100_000): print('x' * 100)"}));
    let out = done["stdout"].as_str().expect("text");
    assert!(out.len() < 80 << 10 && out.contains("bytes left out"), "{}", out.len());
    let done = server.execute(&json!({"source_code": "x = []\nwhile True: x.append(bytearray(10_000_000))"}));
    assert!(done["exit_code"] == 1 || done["exit_code"] == 137, "{done:.300}");
    let done = server.execute(&json!({"source_code": "open('big', 'wb').write(bytes(20_000_000))"}));
    assert!(
        done["stderr"].as_str().is_some_and(|text| text.contains("OSError")),
        "{done:.300}"
    );
    let done = server.execute(&json!({"source_code": "for i in range(20_000): open(f'f{i}', 'w').close()"}));
    assert!(
        done["stderr"].as_str().is_some_and(|text| text.contains("OSError")),
        "{:.300}",
        done["stderr"]
    );
    assert!(done["files"].as_object().is_some_and(|files| files.len() <= 1000));
    // More files than may be kept: what was first is gone, and the server goes on.
    let first = server.execute(&json!({"source_code": "import os\nopen('f', 'wb').write(os.urandom(4_000_000))"}));
    for _ in 0..5 {
        server.execute(&json!({"source_code": "import os\nopen('f', 'wb').write(os.urandom(4_000_000))"}));
    }
    let path = format!("/v1/files/{}", first["files"]["/workspace/f"].as_str().expect("a file"));
    assert_eq!(server.get(&path, &[]).status, 404);
    // Files that together are more than a workspace holds.
    let uploaded = server.post("/v1/files", &vec![7; 3 << 20], &[]);
    let id = serde_json::from_str::<Value>(&uploaded.body).expect("JSON")["id"].clone();
    let files: Value = (0..3)
        .map(|at| (format!("/workspace/{at}"), id.clone()))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let answer = server.post(
        "/v1/execute",
        json!({"source_code": "", "files": files}).to_string().as_bytes(),
        &[],
    );
    assert_eq!(answer.status, 413, "{}", answer.body);
    // A link is no file of the workspace, whether or not it can be made.
    let code = "import os\nfor target in ('../secret', '/etc/passwd', '/', 'c'):\n    try: os.symlink(target, 'to ' + target.strip('./'))\n    except OSError: print(target)\nopen('c', 'w').close()";
    let done = server.execute(&json!({ "source_code": code }));
    assert_eq!(done["stdout"], "../secret\n/etc/passwd\n/\n");
    let names = done["files"]
        .as_object()
        .map(|files| files.keys().cloned().collect::<Vec<_>>());
    assert_eq!(names, Some(vec!["/workspace/c".into()]));
    // Too many of everything in a request.
    let many: serde_json::Map<String, Value> = (0..300).map(|at| (format!("/workspace/{at}"), json!("a"))).collect();
    let many = json!({"source_code": "", "files": many, "env": (0..300).map(|at| (at.to_string(), json!(""))).collect::<serde_json::Map<_, _>>()});
    let answer = server.post("/v1/execute", many.to_string().as_bytes(), &[]);
    assert!(
        answer.status == 422 && answer.body.matches("too_long").count() == 2,
        "{}",
        answer.body
    );
    let long = json!({"source_code": "#".repeat((1 << 20) + 1)}).to_string();
    let answer = server.post("/v1/execute", long.as_bytes(), &[]);
    assert!(
        answer.status == 422 && answer.body.contains("string_too_long") && answer.body.len() < 4096,
        "{:.300}",
        answer.body
    );
    // Code that looks for the server finds nothing to rewrite.
    let code = "import os\nprint(os.path.exists('/proc/self'), [os.access(p, os.W_OK) for p in ('/', '/usr', '/etc')])";
    assert_eq!(
        server.execute(&json!({"source_code": code}))["stdout"],
        "False [False, False, False]\n"
    );
}

#[test]
fn who_disconnects_gives_the_slot_back() {
    let server = Rest::start(&["--no-grpc", "--concurrency", "1", "--queue", "1"]);
    let endless = json!({"source_code": "while True: pass", "timeout": 300}).to_string();
    let mut waiting = server.open();
    waiting
        .write_all(&request("POST", "/v1/execute", endless.as_bytes(), &[]))
        .expect("it reads");
    std::thread::sleep(std::time::Duration::from_millis(300));
    drop(waiting);
    assert_eq!(
        server.execute(&json!({"source_code": "print('free')"}))["stdout"],
        "free\n"
    );
}

#[test]
fn a_full_server_says_so() {
    let server = Rest::start(&[
        "--no-grpc",
        "--concurrency",
        "1",
        "--queue",
        "1",
        "--queue-wait",
        "100ms",
    ]);
    server.execute(&json!({"source_code": ""}));
    let endless = json!({"source_code": "while True: pass", "timeout": 300}).to_string();
    let mut holding = server.open();
    holding
        .write_all(&request("POST", "/v1/execute", endless.as_bytes(), &[]))
        .expect("it reads");
    std::thread::sleep(std::time::Duration::from_millis(300));
    let answer = server.post("/v1/execute", endless.as_bytes(), &[]);
    assert!(
        answer.status == 503 && answer.header("retry-after") == Some("1"),
        "{} {}",
        answer.status,
        answer.body
    );
    assert!(answer.body.contains("the server is busy"), "{}", answer.body);
}

#[test]
fn the_rest_interface_can_stand_beside_mcp() {
    let server = super::mcp::Http::start(&["--rest"]);
    let body = json!({"source_code": "print(1)"}).to_string();
    let ask = |body: &str| {
        let mut stream = server.open();
        stream
            .write_all(&request("POST", "/v1/execute", body.as_bytes(), &[]))
            .expect("it reads");
        let mut bytes = vec![];
        let _ = stream.read_to_end(&mut bytes);
        Answer::read(&bytes)
    };
    assert!(ask(&body).body.contains("\"stdout\":\"1\\n\""));
    assert_eq!(server.post(&super::mcp::run(1, "1"), &[]).status, 200);
    // Without the flag there is nothing.
    let server = super::mcp::Http::start(&[]);
    let mut stream = server.open();
    stream
        .write_all(&request("POST", "/v1/execute", body.as_bytes(), &[]))
        .expect("it reads");
    let mut bytes = vec![];
    let _ = stream.read_to_end(&mut bytes);
    assert_eq!(Answer::read(&bytes).status, 404);
}

#[test]
fn runs_find_no_room_where_workspaces_have_taken_it() {
    let server = super::mcp::Http::start(&["--rest", "--max-workspaces", "1k"]);
    let ask = |path: &str, body: &str| {
        let answer = Answer::read(&{
            let mut stream = server.open();
            let asked = request("POST", path, body.as_bytes(), &[]);
            stream.write_all(&asked).expect("it reads");
            let mut bytes = vec![];
            let _ = stream.read_to_end(&mut bytes);
            bytes
        });
        let body: Value = serde_json::from_str(&answer.body).expect("JSON");
        (answer.status, body)
    };
    let write = json!({"source_code": "open('a', 'w').write('x')"}).to_string();
    assert_eq!(ask("/v1/execute", &write).1["exit_code"], 0);
    let large = super::mcp::run(1, "open('output/large', 'w').write('x' * 2000)");
    assert_eq!(server.post(&large, &[]).status, 200);
    let (status, done) = ask("/v1/execute", &write);
    assert!(
        status == 200 && done["stderr"].as_str().is_some_and(|text| text.contains("OSError")),
        "{done}"
    );
    let print = json!({"source_code": "print(1)"}).to_string();
    assert_eq!(ask("/v1/execute", &print).1["stdout"], "1\n");
    let (_, kept) = ask("/v1/files", "\"kept\"");
    let with_files = json!({"source_code": "", "files": {"/workspace/a": kept["id"]}}).to_string();
    let (status, refused) = ask("/v1/execute", &with_files);
    assert!(
        status == 503
            && refused["detail"]
                .as_str()
                .is_some_and(|text| text.starts_with("the workspaces of this server hold 2000 bytes")),
        "{refused}"
    );
}

#[test]
fn what_others_can_reach_is_refused_without_tokens() {
    for (name, value) in [
        ("APP_HTTP_LISTEN_ADDR", "0.0.0.0:0"),
        ("APP_GRPC_LISTEN_ADDR", "0.0.0.0:0"),
    ] {
        let mut command = program(&["serve-rest"]);
        if name == "APP_GRPC_LISTEN_ADDR" {
            command.args(["--port", "0"]);
        }
        let folder = tempfile::tempdir().expect("a folder");
        let output = command
            .env(name, value)
            .env("APP_FILE_STORAGE_PATH", folder.path())
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.code() == Some(2) && said.contains("is reachable from other machines"),
            "{name}: {said}"
        );
    }
}

/// Runs a Python program of `tests/clients` with what a list asks for.
fn python(list: &str, name: &str, script: &str, arguments: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
    let mut command = Command::new(clients::python(list, name));
    let said = clients::must(command.arg(script).args(arguments), "the tour");
    assert_eq!(said.trim().lines().last(), Some("done"), "{said}");
}

#[test]
fn the_official_grpc_client_takes_a_tour() {
    // One run at a time: a call that its client gave up must not hold up the next.
    let server = Rest::start(&["--concurrency", "1"]);
    let address = server.grpc.expect("it serves gRPC").to_string();
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    let proto = proto.to_str().expect("a path");
    python("grpc.txt", "grpc", "grpc_tour.py", &[&address, proto]);
    let folder = tempfile::tempdir().expect("a folder");
    let server = Rest::start(&["--auth-token-file", &tokens(&folder)]);
    let address = server.grpc.expect("it serves gRPC").to_string();
    python("grpc.txt", "grpc", "grpc_tour.py", &[&address, proto, ALICE]);
}

#[test]
fn connections_that_say_nothing_of_grpc_are_closed() {
    let server = Rest::start(&["--idle-timeout", "1s"]);
    let address = server.grpc.expect("it serves gRPC");
    for said in [
        &b""[..],
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0\0\0\xff",
    ] {
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        let _ = stream.write_all(said);
        let mut rest = vec![];
        // Ends or is reset; what must not happen is that it stays.
        if let Err(error) = stream.read_to_end(&mut rest) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{said:?}");
        }
    }
    assert_eq!(server.execute(&json!({"source_code": "print(1)"}))["stdout"], "1\n");
}

#[test]
fn python_interpreter_mcp_finds_what_it_posts_to() {
    let server = Rest::start(&["--no-grpc"]);
    python(
        "frameworks.txt",
        "frameworks",
        "bee_tour.py",
        &["rest", &format!("http://{}", server.http)],
    );
}

#[test]
fn the_tool_of_python_interpreter_mcp_is_served() {
    drop(program(&[]));
    let binary = env!("CARGO_BIN_EXE_prims-wasm");
    python("requirements.txt", "python", "bee_tour.py", &["stdio", binary]);
    let server = super::mcp::Http::start(&["--compat", "bee"]);
    python("requirements.txt", "python", "bee_tour.py", &["http", &server.url()]);
}
