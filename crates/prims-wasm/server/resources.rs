//! Artifacts as resources: `prims://session/ID/output/NAME`.
//!
//! An address is taken apart here and put together here, and nowhere becomes a path of the host: the session is looked up by its handle, the
//! file by [`WorkspacePath`].

use super::sessions::{self, Who};
use super::state::AppState;
use super::tools::Problem;
use super::workspace::{self, OUTPUT, WorkspacePath, is_artifact};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use prims_interpreter::FileError;
use rmcp::ErrorData;
use rmcp::model::{
    CacheScope, ListResourceTemplatesResult, ListResourcesResult, ReadResourceResult, Resource, ResourceContents,
    ResourceTemplate,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// Resources on one page of a list.
const PAGE: usize = 100;
/// The largest artifact that is read as a resource; it is one message.
const MAX_READ: u64 = 16 << 20;

const PREFIX: &str = "prims://session/";

/// The address of a file.
pub(crate) fn uri(session: &str, path: &str) -> String {
    let mut uri = format!("{PREFIX}{session}/");
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

/// The session and the file that an address names, if it names an artifact.
fn parse(uri: &str) -> Option<(String, WorkspacePath)> {
    let (session, path) = uri.strip_prefix(PREFIX)?.split_once('/')?;
    if session.is_empty() || !session.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return None;
    }
    let path = decode(path)?;
    // One file has one address: nothing that would be made simpler is taken.
    let parsed = workspace::file(&path).ok().filter(|parsed| parsed.as_str() == path)?;
    is_artifact(&parsed).then(|| (session.to_owned(), parsed))
}

/// Undoes percent-encoding; a slash must not have been hidden in it.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let value = digit(rest.next())? * 16 + digit(rest.next())?;
        let value = u8::try_from(value).ok().filter(|value| *value != b'/')?;
        bytes.push(value);
    }
    String::from_utf8(bytes).ok()
}

/// One page of the artifacts of all sessions this caller may be told about.
pub(crate) async fn list(
    state: &AppState,
    who: &Who,
    cursor: Option<String>,
    stop: &CancellationToken,
) -> Result<ListResourcesResult, ErrorData> {
    let after = match cursor {
        Some(cursor) => Some(
            read_cursor(&cursor)
                .ok_or_else(|| ErrorData::invalid_params("the cursor is not one of this server", None))?,
        ),
        None => None,
    };
    let (inner, who) = (state.clone(), who.clone());
    let all = state.0.bridge.files(stop, move || artifacts(&inner, &who)).await;
    let mut all = failed(all.map_err(sessions_fault)?)?;
    all.sort_by(|a, b| a.uri.cmp(&b.uri));
    if let Some(after) = after {
        all.retain(|resource| resource.uri > after);
    }
    let more = all.len() > PAGE;
    all.truncate(PAGE);
    let mut result = ListResourcesResult::with_all_items(all)
        .with_ttl_ms(0)
        .with_cache_scope(CacheScope::Private);
    if more {
        result.next_cursor = result.resources.last().map(|last| URL_SAFE_NO_PAD.encode(&last.uri));
    }
    Ok(result)
}

fn read_cursor(cursor: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    String::from_utf8(bytes).ok().filter(|uri| parse(uri).is_some())
}

fn artifacts(state: &AppState, who: &Who) -> Result<Vec<Resource>, sessions::Error> {
    let mut found = vec![];
    for session in state.0.sessions.handles(who)? {
        // Being listed is no use of a session.
        let files = state.0.sessions.files(who, &session);
        match files.and_then(|files| Ok(files.artifacts()?)) {
            Ok(files) => found.extend(files.entries.iter().map(|file| {
                Resource::new(uri(&session, file.path.as_str()), file.path.name())
                    .with_mime_type(workspace::mime(file.path.name()))
                    .with_size(file.size)
            })),
            // It ended.
            Err(sessions::Error::Unknown(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// What an address can look like.
pub(crate) fn templates() -> ListResourceTemplatesResult {
    let artifact = ResourceTemplate::new(format!("{PREFIX}{{session_id}}/{OUTPUT}/{{+path}}"), "artifact")
        .with_title("A file that code wrote to output/")
        .with_description("Runs name their artifacts with these addresses.");
    ListResourceTemplatesResult::with_all_items(vec![artifact])
        .with_ttl_ms(super::handler::CACHE_MS)
        .with_cache_scope(CacheScope::Public)
}

/// An artifact: text where its type and its bytes are text, else base64.
pub(crate) async fn read(
    state: &AppState,
    who: &Who,
    uri: String,
    stop: &CancellationToken,
) -> Result<ReadResourceResult, ErrorData> {
    let shown: String = uri.chars().take(200).collect();
    let not_found = || ErrorData::resource_not_found(format!("no resource `{shown}`"), Some(json!({ "uri": shown })));
    let (session, path) = parse(&uri).ok_or_else(not_found)?;
    let mime = workspace::mime(path.name());
    let (inner, who) = (state.clone(), who.clone());
    let read = move || {
        let whole = |files: &workspace::Workspace| files.read_whole(&path, MAX_READ);
        inner.0.sessions.with_files(&who, &session, whole)
    };
    let bytes = match state.0.bridge.files(stop, read).await.map_err(sessions_fault)? {
        Err(sessions::Error::Unknown(_)) => return Err(not_found()),
        Err(sessions::Error::Workspace(workspace::Error::File(
            FileError::Missing(_) | FileError::Kind { .. } | FileError::Path { .. },
        ))) => return Err(not_found()),
        other => failed(other)?,
    };
    let contents = match String::from_utf8(bytes) {
        Ok(text) if workspace::is_text(mime) => ResourceContents::text(text, uri),
        Ok(text) => ResourceContents::blob(STANDARD.encode(text), uri),
        Err(error) => ResourceContents::blob(STANDARD.encode(error.as_bytes()), uri),
    };
    Ok(ReadResourceResult::new(vec![contents.with_mime_type(mime)])
        .with_ttl_ms(0)
        .with_cache_scope(CacheScope::Private))
}

fn sessions_fault(error: super::bridge::Error) -> ErrorData {
    match error {
        super::bridge::Error::Fault(incident) => incident.into(),
        other => ErrorData::internal_error(other.to_string(), None),
    }
}

fn failed<T>(result: Result<T, sessions::Error>) -> Result<T, ErrorData> {
    result.map_err(|error| match Problem::from(error) {
        Problem::Failure(failure) => ErrorData::invalid_params(failure.message, None),
        Problem::Fault(incident) => incident.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart_as_they_were_put_together() {
        for path in ["output/a.txt", "output/a b/ü%.png", "output/\"x\"?#"] {
            let uri = uri("00ff", path);
            let (session, parsed) = parse(&uri).unwrap();
            assert_eq!((session.as_str(), parsed.as_str()), ("00ff", path), "{uri}");
        }
    }

    #[test]
    fn nothing_but_artifacts_has_an_address() {
        for uri in [
            "prims://session/00ff/output/../secret",
            "prims://session/00ff/output/%2e%2e/secret",
            "prims://session/00ff/output/%2E%2E%2Fsecret",
            "prims://session/00ff/output/a%2fb",
            "prims://session/00ff/output//a",
            "prims://session/00ff/output/./a",
            "prims://session/00ff/output",
            "prims://session/00ff/mounts/a",
            "prims://session/00ff//workspace/output/a",
            "prims://session/../output/a",
            "prims://session/..%2f/output/a",
            "prims://session//output/a",
            "prims://ws/../..",
            "prims://session/00ff/output/%zz",
            "prims://session/00ff/output/%ff",
            "prims://session/00ff/output/a%00",
            "file:///etc/passwd",
            "PRIMS://session/00ff/output/a",
            "",
        ] {
            assert!(parse(uri).is_none(), "{uri}");
        }
    }
}
