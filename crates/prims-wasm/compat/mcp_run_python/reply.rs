//! What came of a program, as its clients read it.

use super::javascript;
use clap::ValueEnum;
use serde_json::Value;

/// The form of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ReturnMode {
    /// Tags around parts, which are left as they are.
    Xml,
    /// One object.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Success,
    InstallError,
    RunError,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Status::Success => "success",
            Status::InstallError => "install-error",
            Status::RunError => "run-error",
        }
    }
}

#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: Status,
    /// Lines of both streams.
    pub(super) output: Vec<String>,
    /// The value, already written, if there is one; or the error.
    pub(super) text: Option<String>,
}

impl Reply {
    pub(super) fn text(&self, mode: ReturnMode) -> String {
        match mode {
            ReturnMode::Xml => self.xml(),
            ReturnMode::Json => self.json(),
        }
    }

    fn xml(&self) -> String {
        let mut xml = format!("<status>{}</status>", self.status.as_str());
        if !self.output.is_empty() {
            xml.push_str("\n<output>");
            for line in &self.output {
                xml.push('\n');
                xml.push_str(&escaped("output", line));
            }
            xml.push_str("\n</output>");
        }
        let tag = match self.status {
            Status::Success => "return_value",
            _ => "error",
        };
        let text = self.text.as_deref().unwrap_or_default();
        if self.status != Status::Success || !text.is_empty() {
            xml.push_str(&format!("\n<{tag}>\n{}\n</{tag}>", escaped(tag, text)));
        }
        xml
    }

    fn json(&self) -> String {
        let output: Vec<Value> = self.output.iter().map(|line| line.as_str().into()).collect();
        let mut json = format!(
            "{{\"status\":\"{}\",\"output\":{}",
            self.status.as_str(),
            javascript::stringify(&output.into())
        );
        let (name, value) = match self.status {
            Status::Success => {
                let text = self.text.as_deref().unwrap_or("null");
                // What is no JSON is the guest's text.
                (
                    "return_value",
                    serde_json::from_str(text).unwrap_or_else(|_| text.into()),
                )
            }
            _ => ("error", Value::from(self.text.as_deref().unwrap_or_default())),
        };
        json.push_str(&format!(",\"{name}\":{}}}", javascript::stringify(&value)));
        json
    }
}

/// Escapes the tags of this one name, and nothing else: what it matches is `</?\s*TAG(?:.*?>)?` without regard to case.
fn escaped(tag: &str, text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        result.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = tag_length(tag, rest).unwrap_or(0);
        if length == 0 {
            result.push('<');
            rest = &rest[1..];
            continue;
        }
        result.push_str(&rest[..length].replace('<', "&lt;").replace('>', "&gt;"));
        rest = &rest[length..];
    }
    result + rest
}

/// The bytes of a tag at the beginning of a text, if there is one: to its end on the same line, else to the end of its name.
fn tag_length(tag: &str, text: &str) -> Option<usize> {
    let inside = text.strip_prefix('<')?;
    let inside = inside.strip_prefix('/').unwrap_or(inside);
    let name = inside.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let after = name
        .get(..tag.len())
        .filter(|name| name.eq_ignore_ascii_case(tag))?
        .len();
    let after = &name[after..];
    let line = after
        .split(['\n', '\r', '\u{2028}', '\u{2029}'])
        .next()
        .unwrap_or_default();
    let closing = line.find('>').map_or(0, |at| at + 1);
    Some(text.len() - after.len() + closing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_tag_itself_is_escaped() {
        for (text, expected) in [
            ("a < b > c <b>", "a < b > c <b>"),
            ("</output>", "&lt;/output&gt;"),
            ("x </ OUTPUT a='>'> y", "x &lt;/ OUTPUT a='&gt;'> y"),
            ("<outputs", "&lt;outputs"),
            ("<output\n>", "&lt;output\n>"),
            ("< \n output>é", "&lt; \n output&gt;é"),
            ("<<output>", "<&lt;output&gt;"),
            ("<output <b>>", "&lt;output &lt;b&gt;>"),
            ("<outpué", "<outpué"),
        ] {
            assert_eq!(escaped("output", text), expected);
        }
    }

    #[test]
    fn parts_that_are_empty_are_left_out() {
        let reply = |status, output: &[&str], text: Option<&str>| Reply {
            status,
            output: output.iter().map(|line| (*line).to_owned()).collect(),
            text: text.map(Into::into),
        };
        let empty = reply(Status::Success, &[], Some(""));
        assert_eq!(empty.text(ReturnMode::Xml), "<status>success</status>");
        let both = reply(Status::Success, &["a", ""], Some("4"));
        assert_eq!(
            both.text(ReturnMode::Xml),
            "<status>success</status>\n<output>\na\n\n</output>\n<return_value>\n4\n</return_value>"
        );
        assert_eq!(
            both.text(ReturnMode::Json),
            r#"{"status":"success","output":["a",""],"return_value":4}"#
        );
        let failed = reply(Status::RunError, &[], Some("E\n"));
        assert_eq!(
            failed.text(ReturnMode::Xml),
            "<status>run-error</status>\n<error>\nE\n\n</error>"
        );
        assert_eq!(
            failed.text(ReturnMode::Json),
            r#"{"status":"run-error","output":[],"error":"E\n"}"#
        );
        let nothing = reply(Status::Success, &[], None);
        assert_eq!(
            nothing.text(ReturnMode::Json),
            r#"{"status":"success","output":[],"return_value":null}"#
        );
    }
}
