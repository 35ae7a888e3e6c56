//! From bytes to a request, and everything that is wrong with it in the form clients of FastAPI know: kinds and words are
//! pydantic's (version 2).

use super::model::{ExecuteCustomToolRequest, ExecuteRequest, Files, Invalid, InvalidResponse, ParseCustomToolRequest};
use crate::server::{MAX_CODE, MAX_ENV, is_variable};
use prims_interpreter::WorkspacePath;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Files given with one run.
const MAX_FILES: usize = 256;
/// Longer texts are not given back with what is wrong with them.
const MAX_SHOWN: usize = 1024;
/// Mistakes that are told at a time.
const MAX_TOLD: usize = 100;

const PATH_PATTERN: &str = "^/[^/].*$";
const ID_PATTERN: &str = "^[0-9a-zA-Z_-]{1,255}$";

/// A request that a body can be.
pub(super) trait Request: Sized {
    fn read(fields: &mut Fields) -> Self;
}

impl Request for ExecuteRequest {
    fn read(fields: &mut Fields) -> ExecuteRequest {
        ExecuteRequest {
            source_code: fields.text("source_code"),
            files: fields.files("files"),
            env: fields.variables("env"),
            timeout: fields.seconds("timeout"),
        }
    }
}

impl Request for ParseCustomToolRequest {
    fn read(fields: &mut Fields) -> ParseCustomToolRequest {
        ParseCustomToolRequest {
            tool_source_code: fields.text("tool_source_code"),
        }
    }
}

impl Request for ExecuteCustomToolRequest {
    fn read(fields: &mut Fields) -> ExecuteCustomToolRequest {
        ExecuteCustomToolRequest {
            tool_source_code: fields.text("tool_source_code"),
            tool_input_json: fields.text("tool_input_json"),
            env: fields.variables("env"),
            timeout: fields.seconds("timeout"),
        }
    }
}

/// Reads a body, with a ceiling for the time it may ask for.
pub(super) fn body<T: Request>(bytes: &[u8], longest: Duration) -> Result<T, InvalidResponse> {
    let wrong = |invalid| InvalidResponse { detail: vec![invalid] };
    if bytes.is_empty() {
        return Err(wrong(invalid(
            "missing",
            vec![json!("body")],
            "Field required",
            &Value::Null,
        )));
    }
    let body: Value = serde_json::from_slice(bytes).map_err(|error| wrong(not_json(bytes, &error)))?;
    let Value::Object(object) = &body else {
        let message = "Input should be a valid dictionary or object to extract fields from";
        return Err(wrong(invalid(
            "model_attributes_type",
            vec![json!("body")],
            message,
            &body,
        )));
    };
    let mut fields = Fields {
        object,
        longest: longest.as_secs_f64(),
        invalid: vec![],
    };
    let request = T::read(&mut fields);
    if fields.invalid.is_empty() {
        return Ok(request);
    }
    fields.invalid.truncate(MAX_TOLD);
    Err(InvalidResponse { detail: fields.invalid })
}

/// The same for fields that are there and of the right types, as in a message of another protocol: `files` is what can be wrong.
pub(super) fn files(files: &BTreeMap<String, String>) -> Result<Files, InvalidResponse> {
    let object = Map::from_iter([("files".to_owned(), json!(files))]);
    let mut fields = Fields {
        object: &object,
        longest: 0.0,
        invalid: vec![],
    };
    let files = fields.files("files");
    match fields.invalid.is_empty() {
        true => Ok(files),
        false => Err(InvalidResponse { detail: fields.invalid }),
    }
}

/// Whether source is short enough to be parsed.
pub(crate) fn is_bounded(source: &str) -> bool {
    source.len() <= MAX_CODE
}

fn invalid(kind: &'static str, loc: Vec<Value>, message: &str, input: &Value) -> Invalid {
    let shown = match input {
        Value::String(text) if text.len() > MAX_SHOWN => json!(text.chars().take(MAX_SHOWN / 4).collect::<String>()),
        Value::Object(_) | Value::Array(_) if input.to_string().len() > MAX_SHOWN => Value::Null,
        input => input.clone(),
    };
    Invalid {
        kind,
        loc,
        msg: message.to_owned(),
        input: shown,
        ctx: None,
    }
}

fn not_json(bytes: &[u8], error: &serde_json::Error) -> Invalid {
    // Lines are counted from one, columns are bytes.
    let before: usize = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    let at = match error.is_eof() {
        true => bytes.len(),
        false => (before + error.column().saturating_sub(1)).min(bytes.len()),
    };
    let position = String::from_utf8_lossy(&bytes[..at]).chars().count();
    Invalid {
        ctx: Some(json!({ "error": "Expecting value" })),
        ..invalid(
            "json_invalid",
            vec![json!("body"), json!(position)],
            "JSON decode error",
            &json!({}),
        )
    }
}

/// The fields of a body, and what was found to be wrong with them.
pub(super) struct Fields<'a> {
    object: &'a Map<String, Value>,
    longest: f64,
    invalid: Vec<Invalid>,
}

impl Fields<'_> {
    fn wrong(&mut self, kind: &'static str, loc: &[&str], message: &str, input: &Value, ctx: Option<Value>) {
        let loc = std::iter::once("body").chain(loc.iter().copied()).map(Into::into);
        self.invalid.push(Invalid {
            ctx,
            ..invalid(kind, loc.collect(), message, input)
        });
    }

    fn too_long(&mut self, loc: &[&str], what: &str, found: usize, most: usize) {
        let message = format!("{what} should have at most {most} items after validation, not {found}");
        let ctx = json!({ "field_type": what, "max_length": most, "actual_length": found });
        self.wrong("too_long", loc, &message, &Value::Null, Some(ctx));
    }

    fn text(&mut self, name: &str) -> String {
        let Some(value) = self.object.get(name) else {
            let whole = Value::Object(self.object.clone());
            self.wrong("missing", &[name], "Field required", &whole, None);
            return String::new();
        };
        let text = self.string(&[name], value);
        if !is_bounded(&text) {
            let message = format!("String should have at most {MAX_CODE} characters");
            self.wrong(
                "string_too_long",
                &[name],
                &message,
                value,
                Some(json!({ "max_length": MAX_CODE })),
            );
        }
        text
    }

    fn string(&mut self, loc: &[&str], value: &Value) -> String {
        match value {
            Value::String(text) => text.clone(),
            value => {
                self.wrong("string_type", loc, "Input should be a valid string", value, None);
                String::new()
            }
        }
    }

    fn dictionary(&mut self, name: &str) -> Option<Map<String, Value>> {
        match self.object.get(name)? {
            Value::Object(object) => Some(object.clone()),
            value => {
                self.wrong(
                    "dict_type",
                    &[name],
                    "Input should be a valid dictionary",
                    &value.clone(),
                    None,
                );
                None
            }
        }
    }

    fn pattern(&mut self, loc: &[&str], pattern: &str, text: &str) {
        let message = format!("String should match pattern '{pattern}'");
        self.wrong(
            "string_pattern_mismatch",
            loc,
            &message,
            &json!(text),
            Some(json!({ "pattern": pattern })),
        );
    }

    fn files(&mut self, name: &str) -> Files {
        let given = self.dictionary(name).unwrap_or_default();
        if given.len() > MAX_FILES {
            self.too_long(&[name], "Dictionary", given.len(), MAX_FILES);
            return Files::new();
        }
        let mut files = Files::new();
        for (path, id) in given {
            if !is_absolute(&path) {
                self.pattern(&[name, &path, "[key]"], PATH_PATTERN, &path);
            } else if let Err(problem) = below_workspace(&path) {
                let message = format!("Value error, {problem}");
                let ctx = json!({ "error": {} });
                self.wrong(
                    "value_error",
                    &[name, &path, "[key]"],
                    &message,
                    &json!(path),
                    Some(ctx),
                );
            }
            let is_text = id.is_string();
            let id = self.string(&[name, &path], &id);
            if is_text && !is_identifier(&id) {
                self.pattern(&[name, &path], ID_PATTERN, &id);
            }
            files.insert(path, id);
        }
        files
    }

    fn variables(&mut self, name: &str) -> BTreeMap<String, String> {
        let given = self.dictionary(name).unwrap_or_default();
        if given.len() > MAX_ENV.0 {
            self.too_long(&[name], "Dictionary", given.len(), MAX_ENV.0);
            return BTreeMap::new();
        }
        let mut variables = BTreeMap::new();
        let mut bytes = 0;
        for (variable, value) in given {
            let text = self.string(&[name, &variable], &value);
            bytes += variable.len() + text.len();
            if !is_variable(&variable, &text) {
                let message = "Value error, not a variable, expected a name without `=` and no zero characters";
                self.wrong(
                    "value_error",
                    &[name, &variable],
                    message,
                    &json!(text),
                    Some(json!({ "error": {} })),
                );
            }
            variables.insert(variable, text);
        }
        if bytes > MAX_ENV.1 {
            let message = format!(
                "Value error, all variables have {bytes} bytes, expected at most {}",
                MAX_ENV.1
            );
            self.wrong(
                "value_error",
                &[name],
                &message,
                &Value::Null,
                Some(json!({ "error": {} })),
            );
        }
        variables
    }

    fn seconds(&mut self, name: &str) -> Option<f64> {
        let value = self.object.get(name).filter(|value| !value.is_null())?;
        let Some(seconds) = value.as_f64() else {
            self.wrong("float_type", &[name], "Input should be a valid number", value, None);
            return None;
        };
        if seconds <= 0.0 {
            let ctx = json!({ "gt": 0.0 });
            self.wrong(
                "greater_than",
                &[name],
                "Input should be greater than 0",
                value,
                Some(ctx),
            );
        } else if seconds > self.longest {
            let message = format!("Input should be less than or equal to {}", self.longest);
            let ctx = json!({ "le": self.longest });
            self.wrong("less_than_equal", &[name], &message, value, Some(ctx));
        }
        Some(seconds)
    }
}

fn is_absolute(path: &str) -> bool {
    let mut rest = path.chars();
    rest.next() == Some('/') && rest.next().is_some_and(|c| c != '/') && !rest.any(|c| c == '\n')
}

fn is_identifier(id: &str) -> bool {
    (1..=255).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// The path as the workspace knows it.
pub(super) fn below_workspace(path: &str) -> Result<WorkspacePath, String> {
    let inside = path.starts_with("/workspace/");
    let parsed = WorkspacePath::parse(path).map_err(|error| error.to_string());
    match parsed {
        Ok(parsed) if inside && !parsed.as_str().is_empty() && !path.ends_with('/') => Ok(parsed),
        Err(problem) if inside => Err(problem),
        _ => Err("not a file below `/workspace/`, where code finds its files".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> Vec<Value> {
        let read = body::<ExecuteRequest>(text.as_bytes(), Duration::from_secs(300));
        let detail = read.expect_err(text).detail;
        detail
            .iter()
            .map(|invalid| json!([invalid.kind, invalid.loc, invalid.msg]))
            .collect()
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        assert_eq!(
            wrong(
                r#"{"files": {"a": "ok", "/workspace/b": "no!", "/workspace/c": "", "/workspace/d": 1}, "env": {"A": 1}, "timeout": 301}"#
            ),
            [
                json!(["missing", ["body", "source_code"], "Field required"]),
                json!([
                    "string_pattern_mismatch",
                    ["body", "files", "a", "[key]"],
                    "String should match pattern '^/[^/].*$'"
                ]),
                json!([
                    "string_pattern_mismatch",
                    ["body", "files", "/workspace/b"],
                    "String should match pattern '^[0-9a-zA-Z_-]{1,255}$'"
                ]),
                json!([
                    "string_pattern_mismatch",
                    ["body", "files", "/workspace/c"],
                    "String should match pattern '^[0-9a-zA-Z_-]{1,255}$'"
                ]),
                json!([
                    "string_type",
                    ["body", "files", "/workspace/d"],
                    "Input should be a valid string"
                ]),
                json!(["string_type", ["body", "env", "A"], "Input should be a valid string"]),
                json!([
                    "less_than_equal",
                    ["body", "timeout"],
                    "Input should be less than or equal to 300"
                ]),
            ]
        );
    }

    #[test]
    fn variables_and_mistakes_are_bounded() {
        let large = json!({ "source_code": "", "env": { "A": "x".repeat(MAX_ENV.1) } });
        assert_eq!(
            wrong(&large.to_string()),
            [json!([
                "value_error",
                ["body", "env"],
                "Value error, all variables have 65537 bytes, expected at most 65536"
            ])]
        );
        let numbers: Map<String, Value> = (0..200).map(|at| (at.to_string(), json!(at))).collect();
        assert_eq!(wrong(&json!({ "env": numbers }).to_string()).len(), MAX_TOLD);
        for name in ["", "A=B", "A\0"] {
            let [problem] = &wrong(&json!({ "source_code": "", "env": { name: "x" } }).to_string())[..] else {
                panic!("{name:?}")
            };
            assert_eq!(problem[0], "value_error", "{name:?}");
        }
    }

    #[test]
    fn paths_stay_in_the_workspace() {
        for good in ["/workspace/a", "/workspace/a/b.txt", "/workspace/./a"] {
            assert!(below_workspace(good).is_ok(), "{good}");
        }
        for bad in [
            "/workspace",
            "/workspace/",
            "/workspace/a/",
            "/workspace/../etc/passwd",
            "/workspace/a/../../b",
            "/workspacex/a",
            "/etc/passwd",
            "/workspace/\0",
        ] {
            assert!(below_workspace(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn positions_are_characters() {
        let read = body::<ExecuteRequest>("{\"é\": \n\"é\" x}".as_bytes(), Duration::from_secs(1));
        assert_eq!(read.expect_err("not JSON").detail[0].loc, [json!("body"), json!(11)]);
    }
}
