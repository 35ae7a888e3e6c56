//! Pages in JSON (PEP 691).
//!
//! They are read without building what they contain: a page may be as long as it may be, and what is kept of it is little.

use super::{File, MAX_FILES};
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use url::Url;

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    meta: Meta,
    name: String,
    files: Files,
}

#[derive(Deserialize, Default)]
struct Meta {
    #[serde(rename = "api-version")]
    version: String,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    filename: Value,
    #[serde(default)]
    url: Value,
    #[serde(default)]
    hashes: Value,
    #[serde(default)]
    size: Value,
    #[serde(default, rename = "requires-python")]
    requires_python: Value,
    #[serde(default)]
    yanked: Value,
    #[serde(default, rename = "core-metadata")]
    core_metadata: Value,
    #[serde(default, rename = "dist-info-metadata")]
    dist_info_metadata: Value,
}

/// Whatever stands somewhere: one odd file must not spoil a page.
#[derive(Default)]
enum Value {
    #[default]
    Other,
    Flag(bool),
    Number(u64),
    Text(String),
    /// A mapping, and what it has under `sha256`.
    Hashes(Option<String>),
}

impl Value {
    fn text(self) -> Option<String> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn number(self) -> Option<u64> {
        match self {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    /// Whether metadata are served, and their digest.
    fn metadata(self) -> Option<Option<String>> {
        match self {
            Value::Flag(true) => Some(None),
            Value::Hashes(sha256) => Some(sha256),
            _ => None,
        }
    }

    fn sha256(self) -> Option<String> {
        match self {
            Value::Hashes(sha256) => sha256,
            _ => None,
        }
    }

    /// Why a file is yanked, if it is.
    fn reason(self) -> Option<String> {
        match self {
            Value::Flag(true) => Some(String::new()),
            Value::Text(reason) => Some(reason),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut sha256 = None;
        while let Some(key) = entries.next_key::<String>()? {
            if key == "sha256" {
                sha256 = entries.next_value::<Value>()?.text();
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Value::Hashes(sha256))
    }
}

/// The files of a page, not more than any project has.
struct Files(Vec<Entry>);

impl<'de> Deserialize<'de> for Files {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Files, D::Error> {
        deserializer.deserialize_seq(FilesVisitor)
    }
}

struct FilesVisitor;

impl<'de> Visitor<'de> for FilesVisitor {
    type Value = Files;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of files")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Files, A::Error> {
        let mut files = vec![];
        while let Some(file) = items.next_element()? {
            if files.len() == MAX_FILES {
                return Err(A::Error::custom(super::too_many()));
            }
            files.push(file);
        }
        Ok(Files(files))
    }
}

/// Reads a page: the name of the project as it is written, and the files.
pub(super) fn read(page: &[u8], base: &Url) -> Result<(String, Vec<File>), String> {
    let page: Page = serde_json::from_slice(page).map_err(|error| error.to_string())?;
    if page.meta.version.split('.').next() != Some("1") {
        let version: String = page.meta.version.escape_debug().take(20).collect();
        return Err(format!("its format has version `{version}`, expected 1.x"));
    }
    let files = page.files.0.into_iter().filter_map(|entry| {
        Some(File {
            filename: entry.filename.text()?,
            url: base.join(&entry.url.text()?).ok()?,
            sha256: entry.hashes.sha256(),
            size: entry.size.number(),
            requires_python: entry.requires_python.text(),
            yanked: entry.yanked.reason(),
            metadata: entry.core_metadata.metadata().or(entry.dist_info_metadata.metadata()),
        })
    });
    Ok((page.name, files.collect()))
}
