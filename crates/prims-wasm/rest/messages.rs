//! The messages of `proto/code_interpreter/v1/code_interpreter_service.proto`.

use std::collections::HashMap;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ExecuteRequest {
    #[prost(string, tag = "2")]
    pub(crate) source_code: String,
    #[prost(map = "string, string", tag = "3")]
    pub(crate) files: HashMap<String, String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ExecuteResponse {
    #[prost(string, tag = "1")]
    pub(crate) stdout: String,
    #[prost(string, tag = "2")]
    pub(crate) stderr: String,
    #[prost(int32, tag = "3")]
    pub(crate) exit_code: i32,
    #[prost(map = "string, string", tag = "4")]
    pub(crate) files: HashMap<String, String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ParseCustomToolRequest {
    #[prost(string, tag = "1")]
    pub(crate) tool_source_code: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ParseCustomToolResponseSuccess {
    #[prost(string, tag = "1")]
    pub(crate) tool_name: String,
    #[prost(string, tag = "2")]
    pub(crate) tool_description: String,
    #[prost(string, tag = "3")]
    pub(crate) tool_input_schema_json: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ParseCustomToolResponseError {
    #[prost(string, repeated, tag = "1")]
    pub(crate) error_messages: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ParseCustomToolResponse {
    #[prost(oneof = "ParsedTool", tags = "1, 2")]
    pub(crate) response: Option<ParsedTool>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum ParsedTool {
    #[prost(message, tag = "1")]
    Success(ParseCustomToolResponseSuccess),
    #[prost(message, tag = "2")]
    Error(ParseCustomToolResponseError),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ExecuteCustomToolRequest {
    #[prost(string, tag = "2")]
    pub(crate) tool_source_code: String,
    #[prost(string, tag = "3")]
    pub(crate) tool_input_json: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ExecuteCustomToolResponseSuccess {
    #[prost(string, tag = "1")]
    pub(crate) tool_output_json: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ExecuteCustomToolResponseError {
    #[prost(string, tag = "1")]
    pub(crate) stderr: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ExecuteCustomToolResponse {
    #[prost(oneof = "CalledTool", tags = "1, 2")]
    pub(crate) response: Option<CalledTool>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum CalledTool {
    #[prost(message, tag = "1")]
    Success(ExecuteCustomToolResponseSuccess),
    #[prost(message, tag = "2")]
    Error(ExecuteCustomToolResponseError),
}
