//! What is asked and answered: names and shapes as the BeeAI code interpreter has them, and what it lacked.

use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Files by their paths in the guest: the identifier of each.
pub(crate) type Files = BTreeMap<String, String>;

/// Code to run.
#[derive(Clone, Debug, Default, JsonSchema)]
pub(crate) struct ExecuteRequest {
    /// Python source.
    pub(crate) source_code: String,
    /// Files the code finds: absolute paths below `/workspace`, and identifiers.
    #[schemars(default)]
    pub(crate) files: Files,
    /// Environment variables.
    #[schemars(default)]
    pub(crate) env: BTreeMap<String, String>,
    /// Seconds until the code is stopped.
    #[schemars(default)]
    pub(crate) timeout: Option<f64>,
}

/// What the code did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub(crate) struct ExecuteResponse {
    /// What it wrote to stdout.
    pub(crate) stdout: String,
    /// What it wrote to stderr; the traceback, if it raised.
    pub(crate) stderr: String,
    /// The status of a process: 0 if it ran to its end, 1 if it raised, -1 if the time was up.
    pub(crate) exit_code: i32,
    /// Files directly in `/workspace` that are new or were written to: absolute paths and identifiers.
    pub(crate) files: Files,
}

/// A tool to look at.
#[derive(Clone, Debug, Default, JsonSchema)]
pub(crate) struct ParseCustomToolRequest {
    /// Imports and one Python function.
    pub(crate) tool_source_code: String,
}

/// A tool as a model is told about it.
#[derive(Clone, Debug, PartialEq, Serialize, serde::Deserialize, JsonSchema)]
pub(crate) struct ParseCustomToolResponse {
    /// The name of the function.
    pub(crate) tool_name: String,
    /// A JSON schema of its arguments, as text.
    pub(crate) tool_input_schema_json: String,
    /// What its docstring says.
    pub(crate) tool_description: String,
}

/// Why something is no tool.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct ParseCustomToolErrorResponse {
    /// Everything that is wrong with it.
    pub(crate) error_messages: Vec<String>,
}

/// A tool to call.
#[derive(Clone, Debug, Default, JsonSchema)]
pub(crate) struct ExecuteCustomToolRequest {
    /// Imports and one Python function.
    pub(crate) tool_source_code: String,
    /// Its arguments: a JSON object, as text.
    pub(crate) tool_input_json: String,
    /// Environment variables.
    #[schemars(default)]
    pub(crate) env: BTreeMap<String, String>,
    /// Seconds until it is stopped.
    #[schemars(default)]
    pub(crate) timeout: Option<f64>,
}

/// What a tool returned.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct ExecuteCustomToolResponse {
    /// As JSON, as text.
    pub(crate) tool_output_json: String,
}

/// How a tool failed.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct ExecuteCustomToolErrorResponse {
    /// What it wrote to stderr, and the traceback.
    pub(crate) stderr: String,
}

/// A file that is kept.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct FileResponse {
    /// Its identifier.
    pub(crate) id: String,
    /// Its bytes.
    pub(crate) size: u64,
}

/// Why a request is refused.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct ErrorResponse {
    /// What is wrong.
    pub(crate) detail: String,
}

/// What is wrong with a request's body.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct InvalidResponse {
    /// Everything that is.
    pub(crate) detail: Vec<Invalid>,
}

/// One thing that is wrong with a request's body.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Invalid {
    /// What kind of mistake it is.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// Where it is: names and positions from the body inwards.
    pub(crate) loc: Vec<serde_json::Value>,
    /// The same in words.
    pub(crate) msg: String,
    /// What was found there.
    pub(crate) input: serde_json::Value,
    /// What was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ctx: Option<serde_json::Value>,
}
