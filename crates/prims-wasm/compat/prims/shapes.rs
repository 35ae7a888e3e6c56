//! What differs between its tools and the default ones, as data: names, schemas, messages, bounds.

use rmcp::model::Tool;
use serde_json::{Map, Value};
use std::sync::{Arc, OnceLock};

/// The five tools with their descriptions and schemas.
const TOOLS: &str = include_str!("tools.json");

/// Characters of code.
pub(super) const MAX_CODE: usize = 20_000;
pub(super) const CODE_TOO_LARGE: &str = "Code block too large (20k char limit)";
/// Comes with a run that printed nothing.
pub(super) const SILENT: &str = "No output detected. Print what you want to see, for example print(df.head()): the value of an expression alone is not returned. \
For wide tables call pd.set_option('display.max_columns', None) and pd.set_option('display.width', 10000) first. \
The code must be a self-contained script; mounted files are at mounts/<mountPath>. If the code failed, stderr says why.";
/// Comes after the message of a run that could not be carried out.
pub(super) const FEEDBACK: &str = "\nFEEDBACK: An error occurred. Please ensure your code is self-contained, uses print statements for output, and is not written in notebook style.";

const PATH: &str = "Path must be relative to session root and may not contain '..'.";
const OUTPUT_PATH: &str = "relative_path must be inside output/ and cannot contain '..'";
const MOUNT_PATH: &str = "mount_path must be a relative path without '..'";

/// What it says where the default tools say something else: tool, kind of failure, message.
const MESSAGES: [(&str, &str, &str); 12] = [
    ("list_dir", "not_found", "Specified path is not a directory"),
    ("list_dir", "invalid_arguments", PATH),
    (
        "list_dir",
        "no_session",
        "Missing session_id; ensure the client includes the mcp-session-id header or uses a session-aware context.",
    ),
    ("preview_file", "not_found", "File not found"),
    ("preview_file", "too_large", "File too large for preview"),
    ("preview_file", "invalid_arguments", PATH),
    (
        "preview_file",
        "no_session",
        "Missing session_id; ensure the client includes the mcp-session-id header or uses a session-aware context.",
    ),
    ("mount_file", "invalid_arguments", MOUNT_PATH),
    (
        "mount_file",
        "no_session",
        "Missing session_id; include mcp-session-id header or create session-aware client.",
    ),
    (
        "persist_artifact",
        "too_large",
        "Artifact exceeds size limit (20971520 bytes)",
    ),
    ("persist_artifact", "invalid_arguments", OUTPUT_PATH),
    (
        "persist_artifact",
        "no_session",
        "Missing session_id; ensure mcp-session-id header is set.",
    ),
];

/// Its message for a kind of failure, if it has one of its own.
pub(super) fn message(tool: &str, kind: &str) -> Option<&'static str> {
    let found = MESSAGES.iter().find(|(name, other, _)| *name == tool && *other == kind);
    found.map(|(.., message)| *message)
}

/// The tools.
pub(super) fn tools() -> &'static [Tool] {
    static READ: OnceLock<Vec<Tool>> = OnceLock::new();
    READ.get_or_init(|| {
        // The file is part of the program, and a test reads it.
        let tools: Vec<Map<String, Value>> = serde_json::from_str(TOOLS).unwrap_or_default();
        tools.into_iter().filter_map(tool).collect()
    })
}

fn tool(mut fields: Map<String, Value>) -> Option<Tool> {
    let mut schema = |name: &str| match fields.remove(name) {
        Some(Value::Object(schema)) => Some(Arc::new(schema)),
        _ => None,
    };
    let (input, output) = (schema("inputSchema")?, schema("outputSchema")?);
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Tool::new(text("name")?, text("description")?, input).with_raw_output_schema(output))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_five_tools() {
        let names: Vec<_> = tools().iter().map(|tool| tool.name.to_string()).collect();
        assert_eq!(
            names,
            ["run_code", "persist_artifact", "list_dir", "preview_file", "mount_file"]
        );
        assert_eq!(message("preview_file", "too_large"), Some("File too large for preview"));
        assert_eq!(message("run_code", "too_large"), None);
    }
}
