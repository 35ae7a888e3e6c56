//! The MCP server: the real program over both transports, in both eras of the protocol.
//!
//! * [`transcript`]: the same messages over standard streams and over HTTP, answered alike and as the file beside it says
//! * [`streams`]: standard streams: cancelling, the end of the input, signals, lines that are too long
//! * [`http`]: hosts, origins, sizes, headers, disconnecting
//! * [`service`]: the service inside this process: panics, a full queue, lists with pages
//! * [`sessions`]: what the server keeps for its clients, on the disk too
//! * [`clients`]: official clients on a tour
//! * [`conformance`]: the official conformance suites, against the product and against a [`fixture`]
//! * [`bounds`]: more than a client may send or keep
//! * [`kills`]: a server that is killed in the middle of its work
//! * [`packages`]: what is told while packages are fetched

mod bounds;
pub(crate) mod clients;
mod conformance;
mod fixture;
mod http;
mod kills;
mod packages;
mod service;
mod sessions;
mod streams;
mod transcript;

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Nothing here takes so long unless it hangs.
pub(super) const DEADLINE: Duration = Duration::from_secs(120);

pub(crate) fn program(arguments: &[&str]) -> Command {
    // Compiling the guest is not what these tests wait for.
    super::prepared(&[]);
    let mut command = super::program(&super::no_packages());
    command.args(arguments);
    command
}

/// Waits until a process has ended.
fn ended(child: &mut Child) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("it can be asked") {
            return status;
        }
        assert!(began.elapsed() < DEADLINE, "the server does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The server on standard streams. Every line it writes must be a message.
pub(crate) struct Streams {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Value>,
    /// Messages that came before the one that was waited for.
    pub(crate) aside: VecDeque<Value>,
}

impl Streams {
    pub(crate) fn start(arguments: &[&str]) -> Streams {
        Streams::start_with(arguments, &[])
    }

    fn start_with(arguments: &[&str], environment: &[(&str, &str)]) -> Streams {
        let mut command = program(&["stdio"]);
        command.args(arguments).envs(environment.iter().copied());
        Streams::of(command)
    }

    fn of(mut command: Command) -> Streams {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines() {
                let line = line.expect("UTF-8");
                let message = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not a message: {line}"));
                if send.send(message).is_err() {
                    return;
                }
            }
        });
        Streams {
            input: child.stdin.take(),
            child,
            lines,
            aside: VecDeque::new(),
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("the input is open");
        input.write_all(bytes).expect("the server reads");
    }

    pub(crate) fn send(&mut self, message: &Value) {
        self.write(format!("{message}\n").as_bytes());
    }

    pub(crate) fn receive(&mut self) -> Value {
        self.lines.recv_timeout(DEADLINE).expect("a message")
    }

    /// The answer to a request; what comes before it is put aside.
    pub(crate) fn answer(&mut self, id: &Value) -> Value {
        loop {
            let message = self.receive();
            if message["id"] == *id {
                return message;
            }
            self.aside.push_back(message);
        }
    }

    pub(crate) fn ask(&mut self, request: &Value) -> Value {
        self.send(request);
        self.answer(&request["id"])
    }

    /// The structured reply of a tool.
    pub(crate) fn call(&mut self, id: u32, name: &str, arguments: Value) -> Value {
        self.ask(&call(id, name, arguments))["result"]["structuredContent"].clone()
    }

    pub(crate) fn end(mut self) -> Ended {
        drop(self.input.take());
        self.wait()
    }

    pub(crate) fn wait(mut self) -> Ended {
        let began = Instant::now();
        Ended {
            code: ended(&mut self.child).code(),
            took: began.elapsed(),
            rest: self.lines.iter().collect(),
        }
    }
}

pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) took: Duration,
    pub(crate) rest: Vec<Value>,
}

pub(crate) fn call(id: u32, name: &str, arguments: Value) -> Value {
    let params = json!({ "name": name, "arguments": arguments });
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })
}

pub(crate) fn run(id: u32, code: &str) -> Value {
    call(id, "run_code", json!({ "code": code }))
}

pub(crate) fn initialize(id: u32, version: &str) -> Value {
    let client = json!({ "name": "test", "version": "1" });
    let params = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": client });
    json!({ "jsonrpc": "2.0", "id": id, "method": "initialize", "params": params })
}

/// What the newest revision wants in every request.
fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

/// The server over HTTP, killed when the test is over.
pub(crate) struct Http {
    child: Child,
    pub(crate) address: SocketAddr,
    /// What a killed server leaves.
    _temporary: tempfile::TempDir,
}

impl Http {
    pub(crate) fn start(arguments: &[&str]) -> Http {
        Http::start_as("streamable-http", arguments)
    }

    pub(crate) fn start_as(mode: &str, arguments: &[&str]) -> Http {
        let mut command = program(&[mode, "--port", "0"]);
        command.args(arguments);
        Http::of(command)
    }

    /// Temporary files go into a folder that is removed with this, as a server that is killed removes nothing.
    pub(crate) fn of(mut command: Command) -> Http {
        let temporary = tempfile::tempdir().expect("a folder");
        if command.get_envs().all(|(name, _)| name != "TMPDIR") {
            command.env("TMPDIR", temporary.path());
        }
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the server starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let url = line.split_once("serving MCP on http://")?.1;
                url.strip_suffix("/mcp")?.parse().ok()
            })
            .expect("it says where it listens");
        // Whatever else it says must not fill the pipe.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Http {
            child,
            address,
            _temporary: temporary,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    pub(crate) fn open(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        stream
    }

    /// Sends a request as it is, and reads the whole answer.
    pub(crate) fn exchange(&self, request: &[u8]) -> Answer {
        let mut stream = self.open();
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(request);
        let mut bytes = vec![];
        let _ = stream.read_to_end(&mut bytes);
        Answer::read(&bytes)
    }

    /// Posts a message with the headers a client must send, and `more` of them.
    pub(crate) fn post(&self, message: &Value, more: &[(&str, &str)]) -> Answer {
        self.exchange(&post(&message.to_string(), more))
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request as bytes; headers in `more` come instead of those of the same name.
pub(crate) fn post(body: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let length = body.len().to_string();
    let usual = [
        ("Host", "127.0.0.1"),
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
        ("Connection", "close"),
        ("Content-Length", &*length),
    ];
    let mut request = String::from("POST /mcp HTTP/1.1\r\n");
    let given = |name: &str| more.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    for (name, value) in usual.iter().filter(|(name, _)| !given(name)).chain(more) {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    format!("{request}\r\n{body}").into_bytes()
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: String,
}

impl Answer {
    pub(super) fn read(bytes: &[u8]) -> Answer {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&*text, ""));
        let (first, headers) = head.split_once("\r\n").unwrap_or((head, ""));
        let status = first
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0);
        let headers = headers.to_ascii_lowercase();
        let body = if headers.contains("transfer-encoding: chunked") {
            unchunked(body)
        } else {
            body.to_owned()
        };
        Answer { status, headers, body }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.headers.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// The messages in the body: one as JSON, or those of an event stream.
    pub(crate) fn messages(&self) -> Vec<Value> {
        if let Ok(message) = serde_json::from_str(&self.body) {
            return vec![message];
        }
        let data = self.body.lines().filter_map(|line| line.strip_prefix("data:"));
        data.filter_map(|data| serde_json::from_str(data).ok()).collect()
    }

    /// The last of them: the answer to the request.
    pub(crate) fn message(&self) -> Value {
        self.messages()
            .pop()
            .unwrap_or_else(|| panic!("no message in {} {}", self.status, self.body))
    }
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 || size > rest.len() {
            break;
        }
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}
