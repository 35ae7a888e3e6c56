//! What is in a folder entry, as text:
//!
//! ```text
//! prims-wasm cache folder 1
//! kind environment
//! key 3f…
//! metadata 7b7d
//! d numpy
//! f 12345 9a… numpy/__init__.py
//! digest 77…
//! ```
//! The digest covers all lines before it. Paths contain no control characters, so a line is a line.

use crate::error::Broken;
use crate::key::{self, Id};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

const FIRST: &str = "prims-wasm cache folder ";
const VERSION: u32 = 1;
const METADATA: &str = "metadata ";

/// A file of a folder entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) size: u64,
    pub(crate) digest: Id,
}

/// Everything in a folder entry, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) metadata: Vec<u8>,
    pub(crate) folders: BTreeSet<String>,
    pub(crate) files: BTreeMap<String, Content>,
}

impl Manifest {
    pub(crate) fn encode(&self, kind: &str, id: &Id) -> String {
        let mut text = format!("{FIRST}{VERSION}\nkind {kind}\nkey {}\n", key::hex(id));
        let _ = writeln!(text, "{METADATA}{}", key::hex(&self.metadata));
        for path in &self.folders {
            let _ = writeln!(text, "d {path}");
        }
        for (path, content) in &self.files {
            let _ = writeln!(text, "f {} {} {path}", content.size, key::hex(&content.digest));
        }
        let digest = digest(&text);
        let _ = writeln!(text, "digest {}", digest.to_hex());
        text
    }

    /// Reads a manifest that says it belongs to this entry.
    pub(crate) fn decode(text: &[u8], kind: &str, id: &Id) -> Result<Manifest, Broken> {
        let text = std::str::from_utf8(text).map_err(|_| Broken::Digest)?;
        let version = text
            .strip_prefix(FIRST)
            .and_then(|rest| rest.split('\n').next())
            .ok_or(Broken::Magic)?;
        if version != VERSION.to_string() {
            let found = version.parse().map_err(|_| Broken::Magic)?;
            return Err(Broken::Version {
                found,
                expected: VERSION,
            });
        }
        let body_len = text
            .len()
            .checked_sub("digest \n".len() + key::HEX_LEN)
            .ok_or(Broken::Digest)?;
        let (body, last) = text.split_at_checked(body_len).ok_or(Broken::Digest)?;
        if last != format!("digest {}\n", digest(body).to_hex()) {
            return Err(Broken::Digest);
        }
        // The digest fits, so this is what somebody wrote; whether we did, and for this entry, is still to be seen.
        let rest = body.split_once('\n').map_or("", |(_, rest)| rest);
        let own = format!("kind {kind}\nkey {}\n", key::hex(id));
        Manifest::parse(rest.strip_prefix(&own).ok_or(Broken::Name)?).ok_or(Broken::Magic)
    }

    /// The metadata in a manifest that has been decoded before.
    pub(crate) fn metadata_of(text: &[u8]) -> Result<Vec<u8>, Broken> {
        let line = text
            .split(|byte| *byte == b'\n')
            .nth(3)
            .and_then(|line| std::str::from_utf8(line).ok());
        line.and_then(|line| key::unhex(line.strip_prefix(METADATA)?))
            .ok_or(Broken::Magic)
    }

    fn parse(lines: &str) -> Option<Manifest> {
        let (first, rest) = lines.split_once('\n')?;
        let metadata = key::unhex(first.strip_prefix(METADATA)?)?;
        let mut manifest = Manifest {
            metadata,
            ..Manifest::default()
        };
        for line in rest.split_terminator('\n') {
            match line.split_once(' ')? {
                ("d", path) => {
                    manifest.folders.insert(path.to_owned());
                }
                ("f", file) => {
                    let mut parts = file.splitn(3, ' ');
                    let size = parts.next()?.parse().ok()?;
                    let digest = key::unhex_id(parts.next()?)?;
                    manifest
                        .files
                        .insert(parts.next()?.to_owned(), Content { size, digest });
                }
                _ => return None,
            }
        }
        Some(manifest)
    }
}

fn digest(text: &str) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_derive_key("prims-wasm cache folder 1");
    hasher.update(text.as_bytes());
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut manifest = Manifest {
            metadata: b"{\"a\": 1}".to_vec(),
            ..Manifest::default()
        };
        assert_eq!(
            Manifest::decode(manifest.encode("k", &[1; 32]).as_bytes(), "k", &[1; 32]),
            Ok(manifest.clone())
        );
        manifest.folders.insert("a b".into());
        manifest.files.insert(
            "a b/c d.py".into(),
            Content {
                size: 7,
                digest: [3; 32],
            },
        );
        let text = manifest.encode("kind", &[2; 32]);
        assert_eq!(Manifest::metadata_of(text.as_bytes()), Ok(manifest.metadata.clone()));
        assert_eq!(Manifest::decode(text.as_bytes(), "kind", &[2; 32]), Ok(manifest));
        assert_eq!(Manifest::decode(text.as_bytes(), "kind", &[3; 32]), Err(Broken::Name));
        assert_eq!(Manifest::decode(text.as_bytes(), "other", &[2; 32]), Err(Broken::Name));
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let mut manifest = Manifest {
            metadata: vec![1, 2],
            ..Manifest::default()
        };
        manifest.files.insert(
            "a".into(),
            Content {
                size: 7,
                digest: [3; 32],
            },
        );
        let text = manifest.encode("k", &[0; 32]).into_bytes();
        for bit in 0..text.len() * 8 {
            let mut bad = text.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Manifest::decode(&bad, "k", &[0; 32]).is_err(), "bit {bit}");
        }
        for cut in 0..text.len() {
            assert!(Manifest::decode(&text[..cut], "k", &[0; 32]).is_err(), "cut at {cut}");
        }
    }
}
