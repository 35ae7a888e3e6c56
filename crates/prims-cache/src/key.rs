//! Names of entries: a hash over everything an entry depends on.

/// Length of a key's hexadecimal form, which is the entry's file name.
pub(crate) const HEX_LEN: usize = 64;

/// Names an entry by what it was made from. Two keys are equal exactly when they were built from the same labeled parts in the
/// same order (up to collisions of BLAKE3): every label and every part is hashed with its length.
///
/// ```
/// use prims_cache::Key;
/// let key = Key::new("image").with("module", b"digest").with("version", &7u32.to_le_bytes());
/// assert_ne!(key.hex(), Key::new("image").with("module", b"digest").hex());
/// ```
#[derive(Clone)]
pub struct Key(blake3::Hasher);

impl Key {
    /// A key without parts. The label says what the entry is.
    pub fn new(label: &str) -> Key {
        let mut key = Key(blake3::Hasher::new_derive_key("prims-wasm cache key 1"));
        key.part(label.as_bytes());
        key
    }

    /// Adds a part the entry depends on.
    #[must_use]
    pub fn with(mut self, label: &str, bytes: &[u8]) -> Key {
        self.part(label.as_bytes());
        self.part(bytes);
        self
    }

    /// The key as 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        hex(&self.id())
    }

    pub(crate) fn id(&self) -> Id {
        *self.0.finalize().as_bytes()
    }

    fn part(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.hex())
    }
}

/// A finished key.
pub(crate) type Id = [u8; 32];

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Reads lower-case hexadecimal digits; nothing else is accepted.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}

/// Reads the 64 digits of a key or a digest.
pub(crate) fn unhex_id(text: &str) -> Option<Id> {
    unhex(text)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        let keys = [
            Key::new("a"),
            Key::new("a").with("", b""),
            Key::new("a").with("b", b"c"),
            Key::new("a").with("bc", b""),
            Key::new("a").with("", b"bc"),
            Key::new("a").with("b", b"c").with("", b""),
            Key::new("ab").with("", b"c"),
        ];
        let distinct: std::collections::HashSet<String> = keys.iter().map(Key::hex).collect();
        assert_eq!(distinct.len(), keys.len());
    }

    #[test]
    fn hexadecimal_round_trips_and_is_strict() {
        let id = Key::new("x").id();
        assert_eq!(hex(&id).len(), HEX_LEN);
        assert_eq!(unhex_id(&hex(&id)), Some(id));
        for bad in ["", "0", "00", "AA", "zz", " 0", "+1"] {
            assert_eq!(unhex_id(bad), None);
        }
        assert_eq!(unhex("+1"), None);
    }
}
