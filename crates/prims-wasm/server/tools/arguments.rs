//! Reading arguments, with messages that name the field and what it should be.

use super::Problem;
use rmcp::model::JsonObject;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The arguments of a tool. `null` for a field is the same as leaving it out: some clients fill in every field they know.
pub(super) fn parse<T: DeserializeOwned>(tool: &str, arguments: JsonObject) -> Result<T, Problem> {
    let given = arguments.into_iter().filter(|(_, value)| !value.is_null()).collect();
    serde_path_to_error::deserialize(Value::Object(given)).map_err(|error| {
        let (path, message) = (error.path().to_string(), error.inner().to_string());
        let message = if path == "." || path.is_empty() {
            // The message names the field itself: it is missing, or there is none of that name.
            message
        } else {
            format!("`{path}`: {message}")
        };
        Problem::failure("invalid_arguments", format!("arguments of `{tool}`: {message}"))
            .hint(format!("the input schema of `{tool}` says what it takes"))
    })
}

/// A problem with one argument.
pub(super) fn bad(field: &str, message: impl std::fmt::Display) -> Problem {
    Problem::failure("invalid_arguments", format!("argument `{field}`: {message}"))
}

/// Decodes base64, with or without padding and line breaks.
pub(super) fn base64(field: &str, text: &str) -> Result<Vec<u8>, Problem> {
    use base64::Engine;
    use base64::alphabet::STANDARD;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let packed: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    LENIENT
        .decode(packed)
        .map_err(|error| bad(field, format!("is not base64: {}", error.to_string().to_lowercase())))
}
