//! `GET /artifacts/{path}`: a file that a run wrote, for clients that would rather download than read base64. The file is a
//! stranger's: a browser must neither show nor run it.

use super::answer;
use super::ranges::{self, Part, Wanted};
use crate::auth::Caller;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG,
};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, Uri};
use http_body::{Frame, SizeHint};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::task::JoinHandle;

/// Longer paths are no paths of artifacts.
const MAX_PATH: usize = 1024;
/// Read at a time.
const PIECE: usize = 64 << 10;

/// A file to be downloaded.
#[derive(Debug)]
pub struct Artifact {
    /// The open file. It must not change any more, or only grow.
    pub file: File,
    /// Its length.
    pub length: u64,
    /// Its type, for example `image/png`.
    pub mime: String,
    /// What its content is known by, if that is something else than its place and its times: letters, digits, `-` and `_`.
    pub tag: Option<String>,
}

/// Why there is nothing to download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoArtifact {
    /// The path is not one of an artifact.
    InvalidPath,
    /// The path leads where callers have no business.
    Forbidden,
    /// No such session for this caller, or no such file in it: the two are not told apart.
    NotFound,
    /// A folder.
    NotAFile,
    /// The host failed; it has logged how.
    Failed,
}

/// Whoever keeps files.
pub trait Artifacts: Send + Sync + 'static {
    /// Opens a file. `path` is relative to the folder of artifacts, decoded, and has neither empty nor dotted parts; what else it
    /// may be is for the keeper to judge. It may block.
    fn open(&self, caller: &Caller, session: &str, path: &str) -> Result<Artifact, NoArtifact>;
}

/// Answers a request for `/artifacts/…`; errors are messages of MCP, or `plain` texts.
pub(super) async fn get(
    keeper: Arc<dyn Artifacts>,
    caller: Caller,
    uri: &Uri,
    headers: &HeaderMap,
    plain: bool,
) -> Response<Body> {
    let refused = |status, message: &str| match plain {
        true => answer::text(status, message),
        false => answer::error(status, message, None),
    };
    let Some(path) = uri
        .path()
        .strip_prefix("/artifacts/")
        .and_then(decoded)
        .filter(|path| sound(path))
    else {
        return refused(StatusCode::BAD_REQUEST, "Invalid artifact path");
    };
    let session = match session(uri, headers) {
        Ok(session) => session,
        Err(message) => return refused(StatusCode::BAD_REQUEST, message),
    };
    let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
    let opened = tokio::task::spawn_blocking(move || keeper.open(&caller, &session, &path)).await;
    let answered = match opened.unwrap_or(Err(NoArtifact::Failed)) {
        Ok(artifact) => download(artifact, headers, &name).await.map_err(|_| NoArtifact::Failed),
        Err(reason) => Err(reason),
    };
    match answered {
        Ok(response) => response,
        Err(reason) => {
            let (status, message) = match reason {
                NoArtifact::InvalidPath => (StatusCode::BAD_REQUEST, "Invalid artifact path"),
                NoArtifact::Forbidden => (StatusCode::FORBIDDEN, "Forbidden"),
                NoArtifact::NotFound => (StatusCode::NOT_FOUND, "File not found"),
                NoArtifact::NotAFile => (StatusCode::NOT_FOUND, "Not a file"),
                NoArtifact::Failed => (StatusCode::INTERNAL_SERVER_ERROR, "internal error"),
            };
            refused(status, message)
        }
    }
}

/// The session of the header or the query; if both are there they must agree.
fn session(uri: &Uri, headers: &HeaderMap) -> Result<String, &'static str> {
    const MISSING: &str = "Missing mcp-session-id header";
    const INVALID: &str = "Invalid mcp-session-id";
    let query = uri.query().unwrap_or_default();
    let query = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "session_id");
    let mut given: Vec<String> = query.map(|(_, value)| value.into_owned()).collect();
    for value in headers.get_all("mcp-session-id") {
        given.push(value.to_str().map_err(|_| INVALID)?.to_owned());
    }
    given.dedup();
    match given.as_slice() {
        [] => Err(MISSING),
        [one] if (1..=256).contains(&one.len()) && one.chars().all(|c| c.is_ascii_graphic()) => Ok(one.clone()),
        _ => Err(INVALID),
    }
}

/// Percent-decoded, once.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(*rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => *byte,
        });
    }
    String::from_utf8(bytes).ok()
}

fn sound(path: &str) -> bool {
    let part = |part: &str| !matches!(part, "" | "." | "..");
    path.len() <= MAX_PATH && path.split('/').all(part) && !path.chars().any(|c| c.is_control() || c == '\\')
}

/// What of the file is wanted, with the file where that begins. Blocks.
fn at_range(mut artifact: Artifact, headers: &HeaderMap) -> std::io::Result<(Artifact, String, Wanted)> {
    let tag = match &artifact.tag {
        Some(tag) => format!("\"{tag}\""),
        None => ranges::tag(&artifact.file.metadata()?),
    };
    let wanted = ranges::wanted(headers, artifact.length, &tag);
    if let Wanted::Part(part) = wanted {
        artifact.file.seek(SeekFrom::Start(part.first))?;
    }
    Ok((artifact, tag, wanted))
}

/// The answer with a file, or with what of it is wanted, to be saved under a name.
///
/// # Errors
/// The file cannot be looked at.
pub(crate) async fn download(artifact: Artifact, headers: &HeaderMap, name: &str) -> std::io::Result<Response<Body>> {
    let headers = headers.clone();
    let found = tokio::task::spawn_blocking(move || at_range(artifact, &headers)).await;
    let (artifact, tag, wanted) = found.map_err(std::io::Error::other)??;
    Ok(part_of(artifact, &tag, wanted, name))
}

fn part_of(artifact: Artifact, tag: &str, wanted: Wanted, name: &str) -> Response<Body> {
    let text = |text: &str| HeaderValue::from_str(text).ok();
    let (status, part, range) = match wanted {
        Wanted::Whole => (StatusCode::OK, Part::whole(artifact.length), None),
        Wanted::Part(part) => (
            StatusCode::PARTIAL_CONTENT,
            part,
            Some(part.content_range(artifact.length)),
        ),
        Wanted::Nothing => {
            // Clients of every route come here, and `Content-Range` says it all.
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            let headers = response.headers_mut();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            let range = text(&format!("bytes */{}", artifact.length));
            range.map(|range| headers.insert(CONTENT_RANGE, range));
            return response;
        }
    };
    let mut response = Response::new(Body::new(FileBody {
        left: part.length,
        state: State::Ready(Some(artifact.file)),
    }));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(tag) = text(tag) {
        headers.insert(ETAG, tag);
    }
    if let Some(range) = range.as_deref().and_then(text) {
        headers.insert(CONTENT_RANGE, range);
    }
    let mime = text(&artifact.mime).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_TYPE, mime);
    headers.insert(CONTENT_LENGTH, part.length.into());
    if let Some(disposition) = text(&disposition(name)) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("sandbox; default-src 'none'"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

/// What is escaped in an extended parameter of a header (RFC 8187).
const EXTENDED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// `attachment` with the name (RFC 6266): what is plain as it is, else an approximation and the name in UTF-8, escaped.
fn disposition(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || " -_.+()[]@,=".contains(c);
    // Characters that change how a name reads: directions, joiners, anything invisible.
    let invisible = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let name: String = name.chars().filter(|c| !invisible(*c)).take(200).collect();
    let approximation: String = name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    if approximation == name {
        return format!("attachment; filename=\"{name}\"");
    }
    let escaped = utf8_percent_encode(&name, EXTENDED);
    format!("attachment; filename=\"{approximation}\"; filename*=UTF-8''{escaped}")
}

type Piece = (File, std::io::Result<Vec<u8>>);

enum State {
    Ready(Option<File>),
    Reading(JoinHandle<Piece>),
}

/// A file as a body, read piece by piece off the threads that answer requests.
struct FileBody {
    state: State,
    left: u64,
}

impl HttpBody for FileBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        loop {
            match &mut self.state {
                State::Ready(file) => {
                    let Some(file) = file.take().filter(|_| self.left > 0) else {
                        return Poll::Ready(None);
                    };
                    let length = usize::try_from(self.left).unwrap_or(PIECE).min(PIECE);
                    self.state = State::Reading(tokio::task::spawn_blocking(move || piece(file, length)));
                }
                State::Reading(reading) => {
                    let done = ready!(Pin::new(reading).poll(cx));
                    let (file, bytes) = done.map_err(std::io::Error::other)?;
                    let bytes = bytes?;
                    self.left -= bytes.len() as u64;
                    self.state = State::Ready(Some(file));
                    return Poll::Ready(Some(Ok(Frame::data(bytes.into()))));
                }
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

fn piece(mut file: File, length: usize) -> Piece {
    let mut bytes = vec![0; length];
    // Shorter than announced is an error: the connection ends, and the client knows that something is missing.
    let read = file.read_exact(&mut bytes);
    (file, read.map(|()| bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_the_header() {
        assert_eq!(disposition("plot 1.png"), "attachment; filename=\"plot 1.png\"");
        assert_eq!(
            disposition("a\"b\r\nSet-Cookie: x=1"),
            "attachment; filename=\"a_bSet-Cookie_ x=1\"; filename*=UTF-8''a%22bSet-Cookie%3A%20x%3D1"
        );
        assert_eq!(
            disposition("Größe.csv"),
            "attachment; filename=\"Gr__e.csv\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe.csv"
        );
        // The right-to-left override that makes `exe` look like `txt`.
        assert_eq!(disposition("x\u{202e}txt.exe"), "attachment; filename=\"xtxt.exe\"");
        assert!(disposition(&"ü".repeat(5000)).len() < 2000);
    }

    #[test]
    fn paths_are_decoded_once_and_have_no_way_up() {
        let path = |text| decoded(text).filter(|path| sound(path));
        assert_eq!(path("a%20b/c.txt").as_deref(), Some("a b/c.txt"));
        assert_eq!(path("%252e%252e/x").as_deref(), Some("%2e%2e/x"));
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "%2e%2e%2fx",
            "a/%2E%2E/b",
            "a//b",
            "a/",
            "./a",
            "a%00b",
            "a%0d%0ab",
            "a%5cb",
            "%",
            "%4",
            "%zz",
            "%ff",
        ] {
            assert_eq!(path(bad), None, "{bad}");
        }
        assert_eq!(path(&"a".repeat(2000)), None);
    }
}
