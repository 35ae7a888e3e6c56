//! `RECORD`: what a wheel says is in it, with digests.

use sha2::{Digest, Sha256, Sha384, Sha512};
use std::collections::BTreeMap;

/// What `RECORD` says about a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Algorithm and digest in URL-safe base64 without padding; only signatures and `RECORD` itself have none.
    hash: Option<(String, String)>,
    size: Option<u64>,
}

impl Row {
    pub(crate) fn has_hash(&self) -> bool {
        self.hash.is_some()
    }

    /// Whether a file is the one described. Digests weaker than SHA-256 count as none.
    pub(crate) fn matches(&self, content: &[u8]) -> bool {
        let Some((algorithm, expected)) = &self.hash else {
            return false;
        };
        let found = match algorithm.as_str() {
            "sha256" => base64(&Sha256::digest(content)),
            "sha384" => base64(&Sha384::digest(content)),
            "sha512" => base64(&Sha512::digest(content)),
            _ => return false,
        };
        found == *expected && self.size.is_none_or(|size| size == content.len() as u64)
    }
}

impl Row {
    /// The SHA-256 of content that matches, as `RECORD` writes it.
    pub(crate) fn sha256(self, content: &[u8]) -> String {
        match self.hash {
            // Computed a moment ago, to compare.
            Some((algorithm, digest)) if algorithm == "sha256" => digest,
            _ => base64(&Sha256::digest(content)),
        }
    }
}

/// Reads `RECORD`, by path.
pub(crate) fn parse(text: &[u8]) -> Result<BTreeMap<String, Row>, String> {
    let text = std::str::from_utf8(text).map_err(|_| "it is not UTF-8")?;
    let mut rows = BTreeMap::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        let bad = |what: &str| format!("line {}: {what}", index + 1);
        let [path, hash, size] = <[String; 3]>::try_from(fields(line).ok_or_else(|| bad("a quote is not closed"))?)
            .map_err(|_| bad("expected three fields"))?;
        let hash = match hash.split_once('=') {
            Some((algorithm, digest)) => Some((algorithm.to_owned(), digest.to_owned())),
            None if hash.is_empty() => None,
            None => return Err(bad("expected `algorithm=digest`")),
        };
        let size = if size.is_empty() {
            None
        } else {
            Some(size.parse().map_err(|_| bad("its size is not a number"))?)
        };
        if rows.insert(path, Row { hash, size }).is_some() {
            return Err(bad("a path is there twice"));
        }
    }
    Ok(rows)
}

/// Writes a line of `RECORD`.
pub(crate) fn line(path: &str, sha256: &str, len: usize) -> String {
    format!("{},sha256={sha256},{len}\n", quoted(path))
}

/// A field as CSV writes it.
pub(crate) fn quoted(field: &str) -> String {
    if field.contains([',', '"']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// The fields of a line of CSV.
fn fields(line: &str) -> Option<Vec<String>> {
    let mut fields = vec![];
    let mut rest = line;
    loop {
        let mut field = String::new();
        let after = match rest.strip_prefix('"') {
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                field.push_str(&rest[..end]);
                &rest[end..]
            }
            Some(mut inner) => loop {
                let (before, after) = inner.split_once('"')?;
                field.push_str(before);
                match after.strip_prefix('"') {
                    Some(more) => {
                        field.push('"');
                        inner = more;
                    }
                    None => break after,
                }
            },
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None if after.is_empty() => return Some(fields),
            None => return None,
        }
    }
}

/// URL-safe, without padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let number = group.iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for digit in 0..=group.len() {
            text.push(char::from(ALPHABET[(number >> (18 - 6 * digit) & 63) as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_wheel_format() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg"),
            (b"fo", "Zm8"),
            (b"foo", "Zm9v"),
            (&[0xfb, 0xff, 0xfe], "-__-"),
        ] {
            assert_eq!(base64(bytes), text);
        }
    }

    #[test]
    fn lines_are_read() {
        let text =
            "a.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\r\n\"b,\"\"c\"\".py\",sha512=x,\n\nx/RECORD,,\n";
        let rows = parse(text.as_bytes()).unwrap();
        assert_eq!(
            rows.keys().map(String::as_str).collect::<Vec<_>>(),
            ["a.py", "b,\"c\".py", "x/RECORD"]
        );
        assert!(rows["a.py"].matches(b""));
        assert!(!rows["a.py"].matches(b"x"));
        assert!(!rows["x/RECORD"].has_hash() && !rows["x/RECORD"].matches(b""));
        assert_eq!(
            parse(line("b,\"c\".py", &base64(&Sha256::digest(b"x")), 1).as_bytes())
                .unwrap()
                .keys()
                .next()
                .unwrap(),
            "b,\"c\".py"
        );
        for bad in [
            "a", "a,b", "a,,,", "a,x,", "a,,x", "\"a,,", "\"a\"b,,", "a,,\na,,", "a,,-1",
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(parse(&[0xff]).is_err());
    }

    #[test]
    fn weak_digests_do_not_count() {
        for row in [
            "a,md5=1B2M2Y8AsgTpgAmY7PhCfg,0",
            "a,sha1=2jmj7l5rSw0yVb_vlWAYkK_YBwk,0",
            "a,,0",
        ] {
            assert!(!parse(row.as_bytes()).unwrap()["a"].matches(b""), "{row}");
        }
    }
}
