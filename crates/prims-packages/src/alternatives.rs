//! What to use instead of packages whose native code does not run here.

use crate::name::Name;
use pep440_rs::Version;

/// Packages with native code, and what does the same, or enough of it, without. Only what is known to be true: a name here is a pure
/// Python package or a module of the standard library.
const ALTERNATIVES: &[(&str, &str)] = &[
    (
        "aiohttp",
        "`httpx` has the same purpose in pure Python; there is no network here",
    ),
    ("argon2-cffi", "the standard library's `hashlib.scrypt` derives keys"),
    ("bcrypt", "the standard library's `hashlib.scrypt` derives keys"),
    ("bitarray", "`int` and `bytearray` hold bits"),
    ("brotli", "the standard library has `zlib`, `bz2` and `lzma`"),
    ("cffi", "nothing outside the guest can be called"),
    ("confluent-kafka", "there is no network here"),
    (
        "cryptography",
        "`hashlib`, `hmac` and `secrets` are in the standard library, `rsa` is pure Python",
    ),
    ("duckdb", "`sqlite3` is in the standard library"),
    ("fastparquet", "CSV and JSON can be read with the standard library"),
    ("gevent", "`asyncio` is in the standard library"),
    ("greenlet", "`asyncio` is in the standard library"),
    ("grpcio", "there is no network here"),
    ("hiredis", "`redis` works without it"),
    ("httptools", "`h11` is pure Python"),
    (
        "levenshtein",
        "the standard library's `difflib` and `fuzzywuzzy` compare texts",
    ),
    (
        "lxml",
        "the standard library's `xml.etree.ElementTree` reads XML, `beautifulsoup4` with `html5lib` reads HTML",
    ),
    ("lz4", "the standard library has `zlib`, `bz2` and `lzma`"),
    ("matplotlib", "`pygal` and `svgwrite` draw in pure Python"),
    ("msgspec", "`dataclasses` and `json` are in the standard library"),
    ("mysqlclient", "`pymysql` is pure Python; there is no network here"),
    ("orjson", "`json` is in the standard library"),
    ("pillow", "`pypng` reads and writes PNG in pure Python"),
    ("polars", "`agate` works on tables in pure Python"),
    ("psutil", "there are no processes here"),
    ("psycopg-binary", "`pg8000` is pure Python; there is no network here"),
    ("psycopg2", "`pg8000` is pure Python; there is no network here"),
    ("psycopg2-binary", "`pg8000` is pure Python; there is no network here"),
    (
        "pycryptodome",
        "`hashlib`, `hmac` and `secrets` are in the standard library, `rsa` is pure Python",
    ),
    ("pydantic", "`pydantic<2` is pure Python, and so is `attrs`"),
    ("pydantic-core", "`pydantic<2` is pure Python, and so is `attrs`"),
    ("pymupdf", "`pypdf` reads PDF in pure Python"),
    ("pynacl", "`hashlib`, `hmac` and `secrets` are in the standard library"),
    ("python-snappy", "the standard library has `zlib`, `bz2` and `lzma`"),
    ("pyzmq", "there is no network here"),
    (
        "rapidfuzz",
        "the standard library's `difflib` and `fuzzywuzzy` compare texts",
    ),
    ("regex", "`re` is in the standard library"),
    ("rpds-py", "`jsonschema<4.18` does without it"),
    ("ruamel-yaml-clib", "`ruamel.yaml` works without it"),
    ("selectolax", "`beautifulsoup4` with `html5lib` reads HTML"),
    ("setproctitle", "there are no processes here"),
    ("simplejson", "`json` is in the standard library"),
    ("tiktoken", "nothing in pure Python counts the same tokens"),
    ("tokenizers", "nothing in pure Python does the same"),
    ("ujson", "`json` is in the standard library"),
    ("uvloop", "`asyncio` is in the standard library"),
    ("watchdog", "nothing changes files here but the code itself"),
    ("xxhash", "the standard library's `hashlib` and `zlib.crc32` hash"),
    ("zstandard", "the standard library has `zlib`, `bz2` and `lzma`"),
];

/// Most bundled packages that a hint names.
const MAX_LISTED: usize = 20;

/// What to say to somebody whose package cannot run here; empty when there is nothing to say.
pub(crate) fn instead(name: &Name, bundled: &[(Name, Version)]) -> String {
    let known = ALTERNATIVES.binary_search_by(|(of, _)| (*of).cmp(name.as_str()));
    let mut parts: Vec<String> = known.ok().map(|at| ALTERNATIVES[at].1.to_owned()).into_iter().collect();
    if !bundled.is_empty() {
        let listed = bundled
            .iter()
            .take(MAX_LISTED)
            .map(|(name, version)| format!("`{name}=={version}`"));
        let listed: Vec<String> = listed.collect();
        parts.push(format!("bundled packages: {}", listed.join(", ")));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_its_names_are_normal() {
        assert!(ALTERNATIVES.is_sorted_by(|one, next| one.0 < next.0));
        for (name, _) in ALTERNATIVES {
            assert_eq!(Name::parse(name).unwrap().as_str(), *name);
        }
    }

    #[test]
    fn hints_name_the_alternative_and_what_is_bundled() {
        let bundled = [(Name::parse("numpy").unwrap(), "2.4.6".parse().unwrap())];
        let hint = instead(&Name::parse("ujson").unwrap(), &bundled);
        assert_eq!(
            hint,
            "`json` is in the standard library; bundled packages: `numpy==2.4.6`"
        );
        assert_eq!(instead(&Name::parse("unheard-of").unwrap(), &[]), "");
    }
}
