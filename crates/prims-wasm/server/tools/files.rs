//! Tools for the files of a session.

use super::arguments::{bad, base64, parse};
use super::run_code::fetch;
use super::{Answer, Call, Effects, Problem, tool};
use crate::server::render;
use crate::server::workspace::{self, Entry, EntryKind, MOUNTS, OUTPUT, Workspace, WorkspacePath};
use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;
use rmcp::model::{JsonObject, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What `preview_file` shows, and the largest file it looks at.
const PREVIEW: (u64, u64) = (8 << 10, 32 << 10);
/// What `read_file` gives at once if nothing is asked for, and at most.
const READ: (u64, u64) = (64 << 10, 1 << 20);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListDir {
    /// The session.
    session_id: Option<String>,
    /// The folder, relative to the working directory; that itself if left out.
    dir_path: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PreviewFile {
    /// The session.
    session_id: Option<String>,
    /// The file, relative to the working directory.
    relative_path: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadFile {
    /// The session.
    session_id: Option<String>,
    /// The file, relative to the working directory.
    path: String,
    /// The first byte to read.
    #[serde(default)]
    offset: u64,
    /// How many bytes to read: 64 KiB if left out, at most 1 MiB.
    #[schemars(range(min = 1, max = 1048576))]
    limit: Option<u64>,
    /// `text`, `base64`, or `auto` for text where the bytes are UTF-8.
    #[serde(default)]
    encoding: Encoding,
}

/// How bytes are given.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    #[default]
    Auto,
    Text,
    Base64,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WriteFile {
    /// The session.
    session_id: Option<String>,
    /// The file, relative to the working directory; folders are made.
    path: String,
    /// The text to write. One of `content` and `content_base64` is needed.
    content: Option<String>,
    /// The bytes to write.
    content_base64: Option<String>,
    /// Whether to write at the end of what is there, instead of replacing it.
    #[serde(default)]
    append: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeleteFile {
    /// The session.
    session_id: Option<String>,
    /// The file or folder, relative to the working directory; a folder goes with all that is in it.
    path: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MountFile {
    /// The session.
    session_id: Option<String>,
    /// Where to get the file.
    url: String,
    /// Where it goes below `mounts/`.
    mount_path: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PersistArtifact {
    /// The session.
    session_id: Option<String>,
    /// The file, which must be below `output/`.
    relative_path: String,
    /// Where to put it, with an HTTP PUT.
    presigned_url: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(extend("x-fastmcp-wrap-result" = true))]
pub(super) struct Listing {
    /// Sorted by name.
    result: Vec<ListedEntry>,
}

#[derive(Serialize, JsonSchema)]
struct ListedEntry {
    name: String,
    /// Its path relative to the working directory.
    path: String,
    #[serde(rename = "type")]
    kind: ListedKind,
    /// Bytes of a file; 0 for anything else.
    size: u64,
    /// ISO 8601.
    modified: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum ListedKind {
    File,
    Directory,
    /// A symbolic link.
    Link,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Preview {
    name: String,
    path: String,
    /// Bytes of the whole file.
    size: u64,
    mime: String,
    /// Its beginning as text; what is not UTF-8 is replaced.
    content: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct FilePiece {
    path: String,
    /// Bytes of the whole file.
    size: u64,
    mime: String,
    /// The first byte that was read.
    offset: u64,
    /// How many bytes were read.
    length: u64,
    /// Whether this is the end of the file.
    end: bool,
    /// What was read, if it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    /// What was read, if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    content_base64: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Written {
    path: String,
    /// Bytes of the whole file.
    size: u64,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Deleted {
    deleted: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Mounted {
    /// Where it is, relative to the working directory.
    mounted_as: String,
    bytes: u64,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Persisted {
    uploaded_bytes: u64,
    /// The HTTP status of the answer.
    status: u16,
}

pub(super) fn definitions() -> Vec<Tool> {
    let replaces_from_outside = Effects {
        open_world: true,
        ..Effects::REPLACES
    };
    vec![
        tool::<ListDir, Listing>(
            "list_dir",
            "List a folder",
            "Lists a folder of a session's working directory.",
            &Effects::READS,
        ),
        tool::<PreviewFile, Preview>(
            "preview_file",
            "Preview a file",
            "Shows the beginning of a small text file of a session: up to 8 KiB of a file of at most 32 KiB.",
            &Effects::READS,
        ),
        tool::<ReadFile, FilePiece>(
            "read_file",
            "Read a file",
            "Reads a file of a session, or a piece of it: as text, or as base64 where it is not text.",
            &Effects::READS,
        ),
        tool::<WriteFile, Written>(
            "write_file",
            "Write a file",
            "Writes a file into a session's working directory, from text or from base64.",
            &Effects {
                // It can append.
                idempotent: false,
                ..Effects::REPLACES
            },
        ),
        tool::<DeleteFile, Deleted>(
            "delete_file",
            "Delete a file",
            "Deletes a file or a folder of a session.",
            &Effects {
                idempotent: false,
                ..Effects::REPLACES
            },
        ),
        tool::<MountFile, Mounted>(
            "mount_file",
            "Mount a file",
            "Gets a file by URL and puts it below `mounts/` in a session's working directory.",
            &replaces_from_outside,
        ),
        tool::<PersistArtifact, Persisted>(
            "persist_artifact",
            "Upload an artifact",
            "Sends a file of `output/` to a presigned URL with an HTTP PUT.",
            &Effects {
                idempotent: true,
                open_world: true,
                ..Effects::ADDS
            },
        ),
    ]
}

/// What an operation does to how much a session holds.
#[derive(Clone, Copy)]
enum Does {
    Reads,
    Adds,
    Removes,
}

/// Does something with the files of a session.
async fn with_files<T: Send + 'static>(
    call: &Call,
    does: Does,
    session: Option<String>,
    work: impl FnOnce(&Workspace) -> Result<T, workspace::Error> + Send + 'static,
) -> Result<T, Problem> {
    let id = call.needed_session(session)?;
    let _turn = call.state.0.turns.take(&id, &call.stop).await?;
    call.blocking(move |state, who| {
        let sessions = &state.0.sessions;
        match does {
            Does::Reads => sessions.with_files(who, &id, work),
            Does::Adds => sessions.with_more_files(who, &id, work),
            Does::Removes => sessions.with_fewer_files(who, &id, work),
        }
    })
    .await
}

fn path(field: &str, text: &str) -> Result<WorkspacePath, Problem> {
    workspace::file(text).map_err(|error| bad(field, error))
}

pub(super) async fn list_dir(call: &Call, arguments: JsonObject) -> Result<Answer<Listing>, Problem> {
    let arguments: ListDir = parse("list_dir", arguments)?;
    let folder = arguments.dir_path.as_deref().unwrap_or_default();
    let folder = WorkspacePath::parse(folder).map_err(|error| bad("dir_path", error))?;
    let listing = with_files(call, Does::Reads, arguments.session_id, move |files| {
        files.list(&folder)
    })
    .await?;
    let mut lines: Vec<String> = listing.entries.iter().map(line).collect();
    if listing.truncated {
        lines.push("[there is more than can be listed]".to_owned());
    }
    let text = if lines.is_empty() {
        "empty".to_owned()
    } else {
        lines.join("\n")
    };
    let result = listing.entries.into_iter().map(listed).collect();
    Ok(Answer::text(Listing { result }, text))
}

fn line(entry: &Entry) -> String {
    let path = entry.path.as_str();
    match entry.kind {
        EntryKind::Folder => format!("{path}/"),
        EntryKind::Link => format!("{path} (link)"),
        EntryKind::File => format!("{path} ({})", render::size(entry.size)),
    }
}

fn listed(entry: Entry) -> ListedEntry {
    ListedEntry {
        name: entry.path.name().to_owned(),
        kind: match entry.kind {
            EntryKind::Folder => ListedKind::Directory,
            EntryKind::Link => ListedKind::Link,
            EntryKind::File => ListedKind::File,
        },
        size: entry.size,
        modified: entry.modified.map(render::time).unwrap_or_default(),
        path: entry.path.as_str().to_owned(),
    }
}

pub(super) async fn preview(call: &Call, arguments: JsonObject) -> Result<Answer<Preview>, Problem> {
    let arguments: PreviewFile = parse("preview_file", arguments)?;
    let path = path("relative_path", &arguments.relative_path)?;
    let file = path.clone();
    let (shown, largest) = PREVIEW;
    let bytes = with_files(call, Does::Reads, arguments.session_id, move |files| {
        files.read_whole(&file, largest)
    })
    .await?;
    let size = bytes.len() as u64;
    let beginning = &bytes[..bytes.len().min(usize::try_from(shown).unwrap_or(usize::MAX))];
    let content = String::from_utf8_lossy(beginning).into_owned();
    let reply = Preview {
        name: path.name().to_owned(),
        mime: workspace::mime(path.name()).to_owned(),
        path: path.as_str().to_owned(),
        size,
        content: content.clone(),
    };
    Ok(Answer::text(reply, content))
}

pub(super) async fn read(call: &Call, arguments: JsonObject) -> Result<Answer<FilePiece>, Problem> {
    let arguments: ReadFile = parse("read_file", arguments)?;
    let path = path("path", &arguments.path)?;
    let (default, most) = READ;
    let (offset, limit) = (arguments.offset, arguments.limit.unwrap_or(default));
    if !(1..=most).contains(&limit) {
        return Err(bad("limit", format!("is {limit}, expected 1 to {most}")));
    }
    let file = path.clone();
    let piece = with_files(call, Does::Reads, arguments.session_id, move |files| {
        files.read(&file, offset, limit)
    })
    .await?;
    let length = piece.bytes.len() as u64;
    let end = offset.saturating_add(length) >= piece.size;
    let (content, content_base64) = match (String::from_utf8(piece.bytes), arguments.encoding) {
        (Ok(text), Encoding::Auto | Encoding::Text) => (Some(text), None),
        (Ok(text), Encoding::Base64) => (None, Some(STANDARD.encode(text))),
        (Err(error), Encoding::Text) => {
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            (Some(text), None)
        }
        (Err(error), _) => (None, Some(STANDARD.encode(error.as_bytes()))),
    };
    let mime = workspace::mime(path.name()).to_owned();
    let text = match &content {
        Some(text) if end => text.clone(),
        Some(text) => format!("{text}\n[more from offset {} on]", offset + length),
        None => format!(
            "{length} of {} bytes of {mime} are in `content_base64`, from offset {offset} on",
            piece.size
        ),
    };
    let reply = FilePiece {
        path: path.as_str().to_owned(),
        size: piece.size,
        mime,
        offset,
        length,
        end,
        content,
        content_base64,
    };
    Ok(Answer::text(reply, text))
}

pub(super) async fn write(call: &Call, arguments: JsonObject) -> Result<Answer<Written>, Problem> {
    let arguments: WriteFile = parse("write_file", arguments)?;
    let path = path("path", &arguments.path)?;
    let bytes = match (arguments.content, arguments.content_base64) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(text)) => base64("content_base64", &text)?,
        _ => return Err(bad("content", "expected one of `content` and `content_base64`")),
    };
    let (file, append) = (path.clone(), arguments.append);
    let size = with_files(call, Does::Adds, arguments.session_id, move |files| {
        files.write(&file, &bytes, append)
    })
    .await?;
    let path = path.as_str().to_owned();
    let text = format!("{path} has {}", render::size(size));
    Ok(Answer::text(Written { path, size }, text))
}

pub(super) async fn delete(call: &Call, arguments: JsonObject) -> Result<Answer<Deleted>, Problem> {
    let arguments: DeleteFile = parse("delete_file", arguments)?;
    let path = path("path", &arguments.path)?;
    let file = path.clone();
    with_files(call, Does::Removes, arguments.session_id, move |files| {
        files.delete(&file)
    })
    .await?;
    let deleted = path.as_str().to_owned();
    let text = format!("{deleted} is gone");
    Ok(Answer::text(Deleted { deleted }, text))
}

pub(super) async fn mount(call: &Call, arguments: JsonObject) -> Result<Answer<Mounted>, Problem> {
    let arguments: MountFile = parse("mount_file", arguments)?;
    let path = path("mount_path", &arguments.mount_path)?;
    let path = workspace::below(MOUNTS, &path).map_err(|error| bad("mount_path", error))?;
    // Before anything is fetched: a stranger must not use the server to reach a URL for nothing.
    with_files(call, Does::Adds, arguments.session_id.clone(), |_| Ok(())).await?;
    let most = call.state.0.sessions.workspace_bytes();
    let content = fetch(call, "url", &arguments.url, most).await?;
    let (file, bytes) = (path.clone(), content.len() as u64);
    with_files(call, Does::Adds, arguments.session_id, move |files| {
        files.write(&file, &content, false)
    })
    .await?;
    let mounted_as = path.as_str().to_owned();
    let text = format!("{mounted_as} has {}", render::size(bytes));
    Ok(Answer::text(Mounted { mounted_as, bytes }, text))
}

pub(super) async fn persist(call: &Call, arguments: JsonObject) -> Result<Answer<Persisted>, Problem> {
    let arguments: PersistArtifact = parse("persist_artifact", arguments)?;
    let path = path("relative_path", &arguments.relative_path)?;
    if !workspace::is_artifact(&path) {
        let message = format!("`{}` is not below `{OUTPUT}/`", path.as_str());
        return Err(bad("relative_path", message));
    }
    // All bytes at once: what is sent cannot change while it is sent.
    let most = call.state.0.fetcher.max_upload();
    let bytes = with_files(call, Does::Reads, arguments.session_id, move |files| {
        files.read_whole(&path, most)
    })
    .await?;
    let uploaded_bytes = bytes.len() as u64;
    let sent = tokio::select! {
        sent = call.state.0.fetcher.put(&arguments.presigned_url, bytes) => sent,
        () = call.stop.cancelled() => return Err(Problem::failure("cancelled", "cancelled while the file was sent")),
    };
    let status = sent.map_err(|error| {
        let problem = Problem::failure("upload_failed", error.to_string());
        match error.hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    })?;
    if status >= 400 {
        return Err(Problem::failure(
            "upload_failed",
            format!("Upload failed with HTTP {status}"),
        ));
    }
    let text = format!("{} sent, status {status}", render::size(uploaded_bytes));
    Ok(Answer::text(Persisted { uploaded_bytes, status }, text))
}
