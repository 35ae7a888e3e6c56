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

/// Ends of lines as JavaScript's `.` knows them, and the end of a tag.
const ENDS: [char; 5] = ['>', '\n', '\r', '\u{2028}', '\u{2029}'];

/// Escapes the tags of this one name, and nothing else: what it matches is `</?\s*TAG(?:.*?>)?` without regard to case.
///
/// The text is the guest's, so no part of it is looked at once for each tag.
fn escaped(tag: &str, text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    // Up to `barren` there is no `>` before the line ends.
    let (mut at, mut barren) = (0, 0);
    while let Some(start) = text[at..].find('<').map(|found| at + found) {
        result.push_str(&text[at..start]);
        let Some(length) = opening_length(tag, &text[start..]) else {
            result.push('<');
            at = start + 1;
            continue;
        };
        at = start + length;
        if at >= barren {
            let end = text[at..].find(ENDS).map_or(text.len(), |found| at + found);
            match text[end..].starts_with('>') {
                true => at = end + 1,
                false => barren = end,
            }
        }
        result.push_str(&text[start..at].replace('<', "&lt;").replace('>', "&gt;"));
    }
    result + &text[at..]
}

/// The bytes of a tag at the beginning of a text up to the end of its name, if there is one.
fn opening_length(tag: &str, text: &str) -> Option<usize> {
    let inside = text.strip_prefix('<')?;
    let inside = inside.strip_prefix('/').unwrap_or(inside);
    let name = inside.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let found = name.get(..tag.len())?;
    found
        .eq_ignore_ascii_case(tag)
        .then(|| text.len() - name.len() + tag.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

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
            ("<output <output\n<output>", "&lt;output &lt;output\n&lt;output&gt;"),
            ("<output\u{2028}<output>", "&lt;output\u{2028}&lt;output&gt;"),
        ] {
            assert_eq!(escaped("output", text), expected);
        }
    }

    #[test]
    fn a_text_of_tags_without_an_end_is_escaped_in_one_pass() {
        let (sender, escaping) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let many = "<output".repeat(150_000);
            let lines = "<output >\n< output \n".repeat(50_000);
            let _ = sender.send([escaped("output", &many), escaped("output", &lines)]);
        });
        let escaped = escaping.recv_timeout(Duration::from_secs(60));
        let expected = [
            "&lt;output".repeat(150_000),
            "&lt;output &gt;\n&lt; output \n".repeat(50_000),
        ];
        assert!(escaped.expect("it takes a moment") == expected);
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
