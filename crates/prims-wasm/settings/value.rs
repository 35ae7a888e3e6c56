//! The types of values: how each is read and written.

use crate::arguments;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// What a flag for the value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    One,
    Many,
    Switch,
}

/// A type that a setting may have.
pub(super) trait SettingValue: Sized {
    /// Completes "expected".
    const EXPECTED: &'static str;
    const SHAPE: Shape = Shape::One;

    /// From the texts that were given; exactly one, except for lists.
    fn read(texts: &[String]) -> Option<Self>;

    /// The value as JSON; what is a string there could be given again.
    fn render(&self) -> Value;
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// The same as a length in memory.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// The least that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// What failed.
    Error,
    /// What may be a problem.
    Warn,
    /// One line for each request and run.
    Info,
    /// More than one.
    Debug,
    /// Everything.
    Trace,
}

/// One of some words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice<T>(pub T);

/// The words of a [`Choice`].
pub trait Words: Copy + PartialEq + Sized + 'static {
    /// Completes "expected".
    const EXPECTED: &'static str;
    /// Every word and what it means.
    const WORDS: &'static [(&'static str, Self)];
}

impl Words for LogFormat {
    const EXPECTED: &'static str = "`text` or `json`";
    const WORDS: &'static [(&'static str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];
}

impl Words for LogLevel {
    const EXPECTED: &'static str = "`error`, `warn`, `info`, `debug` or `trace`";
    const WORDS: &'static [(&'static str, LogLevel)] = &[
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
        ("trace", LogLevel::Trace),
    ];
}

impl<T: Words> Choice<T> {
    /// The word.
    pub fn word(self) -> &'static str {
        T::WORDS
            .iter()
            .find(|(_, value)| *value == self.0)
            .map_or("", |(word, _)| word)
    }
}

impl<T: Words> SettingValue for Choice<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    fn read(texts: &[String]) -> Option<Self> {
        let [text] = texts else { return None };
        let found = T::WORDS.iter().find(|(word, _)| word == text)?;
        Some(Choice(found.1))
    }

    fn render(&self) -> Value {
        json!(self.word())
    }
}

impl SettingValue for Duration {
    const EXPECTED: &'static str = "a time such as 500ms, 10s or 2m";

    fn read(texts: &[String]) -> Option<Self> {
        let [text] = texts else { return None };
        arguments::duration(text).ok()
    }

    fn render(&self) -> Value {
        let millis = self.as_millis();
        json!(match millis {
            _ if millis.is_multiple_of(3_600_000) => format!("{}h", millis / 3_600_000),
            _ if millis.is_multiple_of(60_000) => format!("{}m", millis / 60_000),
            _ if millis.is_multiple_of(1000) => format!("{}s", millis / 1000),
            _ => format!("{millis}ms"),
        })
    }
}

impl SettingValue for ByteSize {
    const EXPECTED: &'static str = "a size such as 64k, 256m or 1g";

    fn read(texts: &[String]) -> Option<Self> {
        let [text] = texts else { return None };
        arguments::size(text).ok().map(ByteSize)
    }

    fn render(&self) -> Value {
        let units = [(30, "g"), (20, "m"), (10, "k")];
        let unit = units.iter().find(|(shift, _)| self.0.is_multiple_of(1 << shift));
        json!(unit.map_or(self.0.to_string(), |(shift, name)| format!("{}{name}", self.0 >> shift)))
    }
}

impl SettingValue for bool {
    const EXPECTED: &'static str = "`true` or `false`";
    const SHAPE: Shape = Shape::Switch;

    fn read(texts: &[String]) -> Option<Self> {
        let [text] = texts else { return None };
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        }
    }

    fn render(&self) -> Value {
        json!(self)
    }
}

impl SettingValue for IpAddr {
    const EXPECTED: &'static str = "an IP address such as 127.0.0.1 or ::";

    fn read(texts: &[String]) -> Option<Self> {
        let [text] = texts else { return None };
        if text == "localhost" {
            return Some(Ipv4Addr::LOCALHOST.into());
        }
        text.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    fn render(&self) -> Value {
        json!(self.to_string())
    }
}

/// Types that `FromStr` reads as people write them.
macro_rules! parsed {
    ($($type:ty: $expected:literal, $value:ident => $render:expr;)+) => {$(
        impl SettingValue for $type {
            const EXPECTED: &'static str = $expected;

            fn read(texts: &[String]) -> Option<Self> {
                let [text] = texts else { return None };
                text.trim().parse().ok()
            }

            fn render(&self) -> Value {
                let $value = self;
                json!($render)
            }
        }
    )+};
}

parsed! {
    u64: "a whole number", number => number;
    u32: "a whole number", number => number;
    u16: "a number up to 65535", number => number;
    String: "a text", text => redacted(text);
    PathBuf: "a path", path => path.display().to_string();
    Url: "a URL such as https://host.example/path", url => redacted(url.as_str());
}

/// A package index: a URL, or a folder with wheels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexUrl(pub Url);

impl SettingValue for IndexUrl {
    const EXPECTED: &'static str = "a URL such as https://host.example/simple, or a folder with wheels";

    fn read(texts: &[String]) -> Option<Self> {
        let [text] = texts else { return None };
        prims_packages::index_url("index", text).ok().map(IndexUrl)
    }

    fn render(&self) -> Value {
        json!(redacted(self.0.as_str()))
    }
}

impl SettingValue for Vec<IndexUrl> {
    const EXPECTED: &'static str = IndexUrl::EXPECTED;
    const SHAPE: Shape = Shape::Many;

    fn read(texts: &[String]) -> Option<Self> {
        let urls = texts.iter().map(|text| IndexUrl::read(std::slice::from_ref(text)));
        urls.collect()
    }

    fn render(&self) -> Value {
        self.iter().map(IndexUrl::render).collect::<Vec<_>>().into()
    }
}

impl<T: SettingValue> SettingValue for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    fn read(texts: &[String]) -> Option<Self> {
        if texts.is_empty() {
            return Some(None);
        }
        T::read(texts).map(Some)
    }

    fn render(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::render)
    }
}

impl SettingValue for Vec<String> {
    const EXPECTED: &'static str = "a list";
    const SHAPE: Shape = Shape::Many;

    fn read(texts: &[String]) -> Option<Self> {
        Some(texts.to_vec())
    }

    fn render(&self) -> Value {
        self.iter().map(|text| redacted(text)).collect::<Vec<_>>().into()
    }
}

/// A text that may be a URL, without the password and the query it may have.
pub(super) fn redacted(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else {
        return text.to_owned();
    };
    if url.password().is_none() && url.username().is_empty() && url.query().is_none() {
        return text.to_owned();
    }
    if !url.username().is_empty() || url.password().is_some() {
        let _ = url.set_username("redacted");
        let _ = url.set_password(None);
    }
    if url.query().is_some() {
        url.set_query(Some("redacted"));
    }
    url.to_string()
}
