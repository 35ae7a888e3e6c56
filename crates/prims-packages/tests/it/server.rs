//! A package index on a real socket, which can be slow, wrong and gone.

use crate::support::Draft;
use prims_packages::{IndexSettings, Patience};
use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use url::Url;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    headers: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut named = self
            .headers
            .iter()
            .filter(|(found, _)| found.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.as_str())
    }
}

/// An answer, and what goes wrong with it.
#[derive(Clone, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) fault: Fault,
}

#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum Fault {
    #[default]
    None,
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// A few bytes at a time, with a pause.
    Drip(Duration),
    /// Nothing comes.
    Hang,
    /// The connection ends before anything comes.
    Gone,
    /// No length is announced.
    Unannounced,
    /// The body never ends.
    Endless,
}

impl Reply {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Reply {
        Reply {
            status,
            headers: vec![("Content-Type".into(), content_type.into())],
            body: body.into(),
            fault: Fault::None,
        }
    }

    pub(crate) fn html(body: impl Into<Vec<u8>>) -> Reply {
        Reply::new(200, "text/html; charset=utf-8", body)
    }

    pub(crate) fn status(status: u16) -> Reply {
        Reply::new(status, "text/plain", "no")
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Reply {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn fault(mut self, fault: Fault) -> Reply {
        self.fault = fault;
        self
    }
}

/// What the index has, and how it serves it.
#[derive(Clone, Default)]
pub(crate) struct Site {
    /// Project, file name and bytes.
    pub(crate) files: Vec<(String, String, Vec<u8>)>,
    pub(crate) json: bool,
    /// Serves METADATA beside wheels.
    pub(crate) metadata: bool,
    pub(crate) ranges: bool,
    pub(crate) no_hashes: bool,
    pub(crate) gzip: bool,
    /// `Cache-Control` of pages.
    pub(crate) cache_control: Option<String>,
    /// Pages have an ETag.
    pub(crate) etag: bool,
    /// User and password in base64, without which nothing is served.
    pub(crate) login: Option<String>,
    /// Answers to requests whose path contains a text, used up one by one before the site is asked.
    pub(crate) planned: Vec<(String, Reply)>,
    /// Changes answers: given the request and the true answer.
    pub(crate) lie: Option<fn(&Request, Reply) -> Reply>,
}

impl Site {
    /// A site with everything a good index has.
    pub(crate) fn good(drafts: &[Draft]) -> Site {
        Site {
            json: true,
            metadata: true,
            ranges: true,
            etag: true,
            ..Site::plain(drafts)
        }
    }

    /// A site with pages and wheels.
    pub(crate) fn plain(drafts: &[Draft]) -> Site {
        let file = |draft: &Draft| {
            let project = draft.filename.split('-').next().unwrap().replace('_', "-");
            (project, draft.filename.clone(), draft.bytes())
        };
        Site {
            files: drafts.iter().map(file).collect(),
            ..Site::default()
        }
    }

    fn answer(&mut self, request: &Request) -> Reply {
        if let Some(at) = self
            .planned
            .iter()
            .position(|(path, _)| request.path.contains(path.as_str()))
        {
            return self.planned.remove(at).1;
        }
        let reply = self.truth(request);
        match self.lie {
            Some(lie) => lie(request, reply),
            None => reply,
        }
    }

    fn truth(&self, request: &Request) -> Reply {
        let expected = self.login.as_ref().map(|login| format!("Basic {login}"));
        if expected.is_some() && request.header("authorization") != expected.as_deref() {
            return Reply::status(401);
        }
        if let Some(project) = request
            .path
            .strip_prefix("/simple/")
            .and_then(|rest| rest.strip_suffix('/'))
        {
            return self.page(project, request);
        }
        let name = request.path.strip_prefix("/files/").unwrap_or_default();
        if let Some(wheel) = name.strip_suffix(".metadata").filter(|_| self.metadata) {
            let bytes = self
                .files
                .iter()
                .find(|(_, name, _)| name == wheel)
                .map(|(_, _, bytes)| metadata(bytes));
            return bytes.map_or(Reply::status(404), |bytes| Reply::new(200, "text/plain", bytes));
        }
        let Some((_, _, bytes)) = self.files.iter().find(|(_, found, _)| found == name) else {
            return Reply::status(404);
        };
        match request.header("range").filter(|_| self.ranges) {
            Some(range) => part(bytes, range),
            None => Reply::new(200, "application/octet-stream", bytes.clone()),
        }
    }

    fn page(&self, project: &str, request: &Request) -> Reply {
        let files: Vec<_> = self.files.iter().filter(|(found, ..)| found == project).collect();
        if files.is_empty() {
            return Reply::status(404);
        }
        let is_json = self.json && request.header("accept").is_some_and(|accept| accept.contains("+json"));
        let page = if is_json {
            let files = files.iter().map(|(_, name, bytes)| {
                let hashes = if self.no_hashes { "{}".into() } else { format!(r#"{{"sha256":"{}"}}"#, sha256(bytes)) };
                let metadata = if self.metadata { format!(r#"{{"sha256":"{}"}}"#, sha256(&metadata(bytes))) } else { "false".into() };
                format!(
                    r#"{{"filename":"{name}","url":"../../files/{name}","hashes":{hashes},"size":{},"core-metadata":{metadata}}}"#,
                    bytes.len()
                )
            });
            let files: Vec<String> = files.collect();
            format!(
                r#"{{"meta":{{"api-version":"1.0"}},"name":"{project}","files":[{}]}}"#,
                files.join(",")
            )
        } else {
            let files = files.iter().map(|(_, name, bytes)| {
                let hash = if self.no_hashes {
                    String::new()
                } else {
                    format!("#sha256={}", sha256(bytes))
                };
                let metadata = if self.metadata {
                    "data-core-metadata=\"true\""
                } else {
                    ""
                };
                format!("<a href=\"../../files/{name}{hash}\" {metadata}>{name}</a><br/>\n")
            });
            format!(
                "<!DOCTYPE html><title>Links for {project}</title>\n{}",
                files.collect::<String>()
            )
        };
        let tag = format!("\"{}\"", &sha256(page.as_bytes())[..16]);
        let mut reply = match request.header("if-none-match") {
            Some(known) if self.etag && known == tag => Reply {
                status: 304,
                ..Reply::default()
            },
            _ if is_json => Reply::new(200, "application/vnd.pypi.simple.v1+json", page),
            _ => Reply::html(page),
        };
        if self.etag {
            reply = reply.with("ETag", &tag);
        }
        if let Some(control) = &self.cache_control {
            reply = reply.with("Cache-Control", control);
        }
        if self.gzip && reply.status == 200 && request.header("accept-encoding") == Some("gzip") {
            let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::default());
            encoder.write_all(&reply.body).unwrap();
            reply.body = encoder.finish().unwrap();
            reply = reply.with("Content-Encoding", "gzip");
        }
        reply
    }
}

/// The bytes of a range, as servers send them.
pub(crate) fn part(bytes: &[u8], range: &str) -> Reply {
    let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    let len = bytes.len();
    let (from, to) = match first {
        "" => (len.saturating_sub(last.parse().unwrap()), len),
        first => (first.parse().unwrap(), last.parse::<usize>().unwrap() + 1),
    };
    if from >= to || to > len {
        return Reply::status(416);
    }
    let reply = Reply::new(206, "application/octet-stream", &bytes[from..to]);
    reply.with("Content-Range", &format!("bytes {from}-{}/{len}", to - 1))
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// METADATA of a wheel.
pub(crate) fn metadata(wheel: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(wheel)).unwrap();
    let names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    let name = names.into_iter().find(|name| name.ends_with("/METADATA")).unwrap();
    let mut text = vec![];
    archive.by_name(&name).unwrap().read_to_end(&mut text).unwrap();
    text
}

/// A running index. Its threads end with the test program.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<(Mutex<Site>, Mutex<Vec<Request>>)>,
}

impl Server {
    pub(crate) fn start(site: Site) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new((Mutex::new(site), Mutex::default()));
        let of_thread = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = of_thread.clone();
                // Clients may go away at any time.
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Server { address, shared }
    }

    pub(crate) fn site(&self) -> MutexGuard<'_, Site> {
        self.shared.0.lock().unwrap()
    }

    /// Plans an answer for the next request whose path contains a text.
    pub(crate) fn plan(&self, path: &str, reply: Reply) {
        self.site().planned.push((path.into(), reply));
    }

    /// The requests so far; they are counted anew afterwards.
    pub(crate) fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.shared.1.lock().unwrap())
    }

    /// How many requests since the last count had a path that contains a text.
    pub(crate) fn count(&self, path: &str) -> usize {
        self.requests()
            .iter()
            .filter(|request| request.path.contains(path))
            .count()
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    /// Settings with this as the only index.
    pub(crate) fn settings(&self) -> IndexSettings {
        IndexSettings {
            default: Some(self.url("/simple/")),
            patience: patience(),
            ..IndexSettings::default()
        }
    }

    /// The same for servers that keep clients waiting. A machine that stalls looks like one, so only where that makes no difference.
    pub(crate) fn impatient_settings(&self) -> IndexSettings {
        IndexSettings {
            patience: impatient(),
            ..self.settings()
        }
    }
}

/// As much patience as usual, and short pauses.
pub(crate) fn patience() -> Patience {
    Patience {
        pause: Duration::from_millis(2),
        ..Patience::default()
    }
}

/// Little patience, so that tests need not have more.
pub(crate) fn impatient() -> Patience {
    Patience {
        connect: Duration::from_millis(700),
        idle: Duration::from_millis(700),
        rate: (30 << 10, Duration::from_millis(600)),
        pause: Duration::from_millis(2),
    }
}

fn serve(stream: TcpStream, shared: &(Mutex<Site>, Mutex<Vec<Request>>)) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let request = read_request(&mut reader)?;
        shared.1.lock().unwrap().push(request.clone());
        let reply = shared.0.lock().unwrap().answer(&request);
        send(&stream, &reply)?;
    }
}

fn read_request(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = || {
        let mut line = String::new();
        (reader.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
    };
    let target = line()?.split(' ').nth(1)?.to_owned();
    // A proxy is asked for the whole URL.
    let path = match target.strip_prefix("http://") {
        Some(rest) => rest[rest.find('/')?..].to_owned(),
        None => target,
    };
    let mut headers = vec![];
    loop {
        let line = line()?;
        if line.is_empty() {
            return Some(Request { path, headers });
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
}

/// Sends an answer; nothing when the connection is not to be used again.
fn send(mut stream: &TcpStream, reply: &Reply) -> Option<()> {
    match reply.fault {
        Fault::Hang => {
            // Until the client goes away.
            let _ = stream.read(&mut [0; 1]);
            return None;
        }
        Fault::Gone => return None,
        _ => {}
    }
    let mut head = format!("HTTP/1.1 {} Some\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let has_length = reply.headers.iter().any(|(name, _)| name == "Content-Length");
    if matches!(reply.fault, Fault::Unannounced | Fault::Endless) {
        head.push_str("Connection: close\r\n");
    } else if !has_length {
        head.push_str(&format!("Content-Length: {}\r\n", reply.body.len()));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    match reply.fault {
        Fault::Cut(len) => {
            stream.write_all(&reply.body[..len.min(reply.body.len())]).ok()?;
            None
        }
        Fault::Drip(pause) => {
            for part in reply.body.chunks(8) {
                stream.write_all(part).ok()?;
                std::thread::sleep(pause);
            }
            Some(())
        }
        Fault::Endless => loop {
            stream.write_all(&reply.body).ok()?;
        },
        Fault::Unannounced => {
            stream.write_all(&reply.body).ok()?;
            None
        }
        _ => stream.write_all(&reply.body).ok(),
    }
}
