//! The official client in each mode, and the programs of `examples/prims` against a local file server and object store.

use super::{MCP_RUN_PYTHON, PRIMS, http};
use crate::mcp::Http;
use crate::mcp::clients::{must, official, root};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

const CSV: &str = "country,area\nAlbania,28748\nBelgium,30528\nChad,1284000\n";

/// Serves one file, and keeps what is put at an address that was signed.
pub(super) struct FileServer {
    pub(super) address: SocketAddr,
    requests: Arc<AtomicUsize>,
    stored: Arc<Mutex<HashMap<String, Vec<u8>>>>,
}

impl FileServer {
    pub(super) fn start() -> FileServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let server = FileServer {
            address: listener.local_addr().expect("an address"),
            requests: Arc::default(),
            stored: Arc::default(),
        };
        let (requests, stored) = (server.requests.clone(), server.stored.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                requests.fetch_add(1, Ordering::SeqCst);
                let _ = answer(stream, &stored);
            }
        });
        server
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    fn stored(&self, path: &str) -> Option<Vec<u8>> {
        self.stored.lock().expect("nobody panicked").get(path).cloned()
    }
}

fn answer(stream: TcpStream, stored: &Mutex<HashMap<String, Vec<u8>>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (status, said) = match (method, target.split_once('?')) {
        ("GET", None) if target == "/countries.csv" => ("200 OK", CSV),
        ("PUT", Some((path, "signature=good"))) => {
            stored.lock().expect("nobody panicked").insert(path.to_owned(), body);
            ("200 OK", "")
        }
        ("PUT", _) => ("403 Forbidden", ""),
        _ => ("404 Not Found", ""),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{said}",
        said.len()
    );
    reader.get_mut().write_all(head.as_bytes())
}

#[test]
fn the_python_client_takes_a_tour_of_mcp_run_python() {
    let tour = root().join("tests/clients/compat_tour.py");
    let toured = |arguments: &[&str]| {
        let said = must(Command::new(official()).arg(&tour).args(arguments), "the tour");
        assert_eq!(said.trim().lines().last(), Some("done"), "{said}");
    };
    crate::prepared(&[]);
    toured(&["stdio", env!("CARGO_BIN_EXE_prims-wasm")]);
    toured(&[
        "streamable-http",
        &http(MCP_RUN_PYTHON, &["--return-mode", "json"]).url(),
    ]);
    let stateless = Http::start_as(
        "streamable-http-stateless",
        &[&MCP_RUN_PYTHON[..], &["--return-mode", "json"]].concat(),
    );
    toured(&["streamable-http-stateless", &stateless.url()]);
}

#[test]
fn the_example_programs_of_prims_run() {
    let files = FileServer::start();
    let server = http(PRIMS, &["--allow-http-fetch", "--fetch-allow", "127.0.0.1"]);
    let folder = tempfile::tempdir().expect("a folder");
    let example = |name: &str, arguments: &[&str]| {
        let mut command = Command::new(official());
        command.arg(root().join("examples/prims").join(name)).args(arguments);
        must(command.env("PRIMS_URL", server.url()).current_dir(folder.path()), name)
    };
    let csv = files.url("countries.csv");
    for (name, arguments, says) in [
        ("list_tools.py", vec![], "persist_artifact"),
        ("run_code.py", vec![], "The sum is 5050"),
        ("mount_and_run.py", vec![csv.as_str()], "Row count: 3"),
        ("session_persistence.py", vec![csv.as_str()], "Second run: 3 rows"),
        ("inspect_workspace.py", vec![], "Hello inspection!"),
        ("artifact_download.py", vec![], "plot.svg"),
        (
            "persist_artifact.py",
            vec![&*files.url("bucket/report.txt?signature=good")],
            "status 200",
        ),
    ] {
        let said = example(name, &arguments);
        assert!(said.contains(says), "{name}: {said}");
    }
    let downloaded = std::fs::read_to_string(folder.path().join("plot.svg")).expect("it was downloaded");
    assert!(downloaded.starts_with("<svg"), "{downloaded}");
    assert_eq!(
        files.stored("/bucket/report.txt").as_deref(),
        Some(&b"quarterly figures\n"[..])
    );
    let refused = example("persist_artifact.py", &[&files.url("bucket/report.txt?signature=bad")]);
    assert!(refused.contains("Upload failed with HTTP 403"), "{refused}");
}
