//! In the place of other servers: what their clients send and what they must read, from the real program. `docs/compatibility.md` names
//! these tests.
//!
//! * [`mcp_run_python`], [`prims`]: tools, shapes, messages, routes, command lines
//! * [`attacks`]: what broke those servers
//! * [`tours`]: the official client, and the programs below `examples/prims`

mod attacks;
mod mcp_run_python;
mod prims;
mod tours;

use crate::mcp::{Http, Streams, initialize};
use serde_json::{Value, json};

const MCP_RUN_PYTHON: [&str; 2] = ["--compat", "mcp-run-python"];
const PRIMS: [&str; 2] = ["--compat", "prims"];

/// A server on standard streams.
fn streams(server: [&str; 2], arguments: &[&str]) -> Streams {
    Streams::start(&[&server, arguments].concat())
}

/// A server over HTTP.
fn http(server: [&str; 2], arguments: &[&str]) -> Http {
    Http::start(&[&server, arguments].concat())
}

/// The figures of a server.
fn figures(server: &Http) -> String {
    server
        .exchange(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        .body
}

/// The path of a file with the tokens of two callers, and what they send.
fn tokens(folder: &std::path::Path) -> (String, [String; 2]) {
    let path = folder.join("tokens");
    let tokens = ["0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"];
    std::fs::write(&path, format!("alice:{}\nbob:{}\n", tokens[0], tokens[1])).expect("written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&path, mode).expect("a mode");
    let path = path.to_str().expect("a path").to_owned();
    (path, tokens.map(|token| format!("Bearer {token}")))
}

fn request(id: u32, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

/// A client that has shaken hands over HTTP.
struct Client<'a> {
    server: &'a Http,
    session: String,
}

impl<'a> Client<'a> {
    fn new(server: &'a Http) -> Client<'a> {
        let answer = server.post(&initialize(1, "2025-06-18"), &[]);
        let session = answer.header("mcp-session-id").expect("an identifier").to_owned();
        Client { server, session }
    }

    fn messages(&self, message: &Value) -> Vec<Value> {
        self.server
            .post(message, &[("Mcp-Session-Id", &self.session)])
            .messages()
    }

    fn ask(&self, message: &Value) -> Value {
        self.messages(message).pop().expect("an answer")
    }

    /// The result of a tool.
    fn call(&self, tool: &str, arguments: Value) -> Value {
        self.ask(&crate::mcp::call(2, tool, arguments))["result"].clone()
    }

    /// Its text.
    fn text(&self, tool: &str, arguments: Value) -> String {
        text(&self.call(tool, arguments))
    }
}

fn text(result: &Value) -> String {
    result["content"][0]["text"].as_str().expect("a text").to_owned()
}
