//! Handles: what a client holds to speak of a session.

use super::SessionError;

/// Random bits of a handle: nobody finds one by trying.
const BYTES: usize = 20;
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Characters of a handle.
const LEN: usize = BYTES * 8 / 5;

/// Names a session. Whoever holds it, and is the owner if there is one, may use the session.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(String);

impl Handle {
    /// A new one from the operating system's randomness.
    pub(super) fn random() -> std::io::Result<Handle> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        let (mut text, mut bits, mut held) = (String::with_capacity(LEN), 0u32, 0);
        for byte in bytes {
            bits = bits << 8 | u32::from(byte);
            held += 8;
            while held >= 5 {
                held -= 5;
                text.push(char::from(ALPHABET[(bits >> held) as usize & 31]));
            }
        }
        Ok(Handle(text))
    }

    /// Reads one. What cannot be a handle is answered like one that names nothing.
    ///
    /// # Errors
    /// [`SessionError::Unknown`].
    pub fn parse(text: &str) -> Result<Handle, SessionError> {
        let is_one = text.len() == LEN && text.bytes().all(|byte| ALPHABET.contains(&byte));
        if is_one {
            Ok(Handle(text.to_owned()))
        } else {
            Err(SessionError::Unknown)
        }
    }

    /// The handle's text: 32 lower-case letters and digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Debug for Handle {
    /// Enough to tell sessions apart in a log, not enough to use one.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Handle({}…)", &self.0[..6])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_read_back_and_nothing_else_is() {
        let handle = Handle::random().unwrap();
        assert_eq!(handle.as_str().len(), LEN);
        assert_eq!(Handle::parse(handle.as_str()).unwrap(), handle);
        assert_ne!(Handle::random().unwrap(), handle);
        let upper = handle.as_str().to_uppercase();
        for bad in [
            "",
            "..",
            "../../etc/passwd",
            &upper,
            &handle.as_str()[1..],
            "é".repeat(16).as_str(),
        ] {
            assert!(matches!(Handle::parse(bad), Err(SessionError::Unknown)), "{bad}");
        }
    }
}
