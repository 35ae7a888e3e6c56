//! What is told while packages are fetched, from a server that takes its time.

use super::super::packages::wheel;
use super::Streams;
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Pieces of a wheel, and the pause after each.
const PIECES: (usize, Duration) = (20, Duration::from_millis(50));

/// Serves a folder of wheels of the project `slow` as an index does.
fn index(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/simple", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let folder = folder.clone();
            std::thread::spawn(move || while answer(&stream, &folder).is_some() {});
        }
    });
    url
}

/// Answers one request; nothing if there is no more.
fn answer(mut stream: &TcpStream, folder: &Path) -> Option<()> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    let name = path.trim_end_matches('/').rsplit('/').next()?;
    if name == "slow" {
        let names = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.file_name());
        let links = names.map(|name| format!("<a href=\"{0}\">{0}</a>", name.to_string_lossy()));
        let page = format!("<!DOCTYPE html><html><body>{}</body></html>", links.collect::<String>());
        return head(stream, "200 OK", "text/html", page.len()).and(stream.write_all(page.as_bytes()).ok());
    }
    let Ok(bytes) = std::fs::read(folder.join(name)) else {
        return head(stream, "404 Not Found", "text/plain", 0);
    };
    head(stream, "200 OK", "application/octet-stream", bytes.len())?;
    for piece in bytes.chunks(bytes.len().div_ceil(PIECES.0)) {
        stream.write_all(piece).ok()?;
        std::thread::sleep(PIECES.1);
    }
    Some(())
}

fn head(mut stream: &TcpStream, status: &str, kind: &str, length: usize) -> Option<()> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()
}

#[test]
fn progress_of_packages_reaches_the_client_that_waits_for_it() {
    let folder = tempfile::tempdir().expect("a folder");
    // A version nobody has in a cache.
    let version = format!("1.{}", std::process::id());
    let data: String = (0..20_000u32)
        .map(|at| format!("{}\n", at.wrapping_mul(2_654_435_761)))
        .collect();
    wheel(folder.path(), "slow", &version, &format!("data = {data:?}\n"), &[]);
    let url = index(folder.path().to_owned());
    let mut server = Streams::start(&["--index-url", &url]);
    let code = "import slow\nlen(slow.data) > 1000";
    let arguments = json!({ "code": code, "requirements": [format!("slow=={version}")] });
    let mut call = super::call(1, "run_code", arguments);
    call["params"]["_meta"] = json!({ "progressToken": "packages" });
    let reply = server.ask(&call)["result"]["structuredContent"].clone();
    assert_eq!(reply["return_value"], true, "{reply}");
    let messages = server.aside.iter();
    let notifications = messages.filter(|message| message["method"] == "notifications/progress");
    let told: Vec<&str> = notifications
        .inspect(|message| assert_eq!(message["params"]["progressToken"], "packages"))
        .filter_map(|message| message["params"]["message"].as_str())
        .collect();
    assert!(
        told.iter().any(|message| message.starts_with("fetching slow-")),
        "{told:?}"
    );
}
