//! Bearer tokens from a file that is read again when it changes.

use super::Error;
use crate::hex::hex;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;

/// How often the file is looked at.
const INTERVAL: Duration = Duration::from_secs(1);
/// Every request is compared with every token.
const MAX_TOKENS: usize = 1000;
const MAX_FILE: u64 = 1 << 20;
/// 96 bits if the token is random hexadecimal digits or better.
const MIN_TOKEN: usize = 24;

const EXPECTED: &str = "`token` or `name:token`, the token of 24 to 512 characters `A-Za-z0-9-._~+/=`, the name of up to 64 characters `A-Za-z0-9-._`";

#[derive(Debug)]
pub(super) struct TokenFile {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tokens: Arc<[Token]>,
    stamp: Stamp,
    looked: Instant,
}

/// A token as it is kept: not at all. Digests of equal length are compared in constant time.
struct Token {
    name: String,
    digest: [u8; 32],
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({})", self.name)
    }
}

/// What changes when a file is written or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp(u64, u64, i64, i64);

impl TokenFile {
    pub(super) fn open(path: &Path) -> Result<TokenFile, Error> {
        let (tokens, stamp) = read(path)?;
        let state = State {
            tokens,
            stamp,
            looked: Instant::now(),
        };
        Ok(TokenFile {
            path: path.to_owned(),
            state: Mutex::new(state),
        })
    }

    /// Whose token it is.
    pub(super) fn name(&self, token: &str) -> Option<String> {
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let known = self.current();
        let mut found = None;
        for known in known.iter() {
            if bool::from(known.digest.ct_eq(&digest)) {
                found = Some(known);
            }
        }
        found.map(|token| token.name.clone())
    }

    fn current(&self) -> Arc<[Token]> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= INTERVAL {
            state.looked = Instant::now();
            let changed = std::fs::metadata(&self.path).map_or(true, |data| stamp(&data) != state.stamp);
            if changed {
                match read(&self.path) {
                    Ok((tokens, stamp)) => {
                        tracing::info!(count = tokens.len(), "the tokens changed and were read again");
                        (state.tokens, state.stamp) = (tokens, stamp);
                    }
                    // A file that is being written, or damaged, must not lock everybody out.
                    Err(error) => tracing::error!(%error, "the tokens changed and cannot be read, the old ones stay"),
                }
            }
        }
        state.tokens.clone()
    }
}

fn stamp(data: &std::fs::Metadata) -> Stamp {
    Stamp(data.ino(), data.len(), data.mtime(), data.mtime_nsec())
}

fn read(path: &Path) -> Result<(Arc<[Token]>, Stamp), Error> {
    let failed = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    // Opening a pipe would wait for whoever writes into it.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(failed(std::io::Error::other("not a regular file")));
    }
    let file = std::fs::File::open(path).map_err(failed)?;
    let data = file.metadata().map_err(failed)?;
    let mode = data.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    let mut text = String::new();
    file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > MAX_FILE {
        return Err(failed(std::io::Error::other(format!("more than {MAX_FILE} bytes"))));
    }
    Ok((parse(path, &text)?.into(), stamp(&data)))
}

fn parse(path: &Path, text: &str) -> Result<Vec<Token>, Error> {
    let mut tokens = vec![];
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let token = token(line).filter(|_| tokens.len() < MAX_TOKENS);
        tokens.push(token.ok_or_else(|| Error::Token {
            path: path.to_owned(),
            line: number + 1,
            expected: EXPECTED,
        })?);
    }
    if tokens.is_empty() {
        return Err(Error::NoToken { path: path.to_owned() });
    }
    Ok(tokens)
}

fn token(line: &str) -> Option<Token> {
    let of = |text: &str, more: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
    let (name, token) = match line.split_once(':') {
        Some((name, token)) => (Some(name), token),
        None => (None, line),
    };
    if !(MIN_TOKEN..=512).contains(&token.len()) || !of(token, "-._~+/=") {
        return None;
    }
    let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    let name = match name {
        Some(name) if (1..=64).contains(&name.len()) && of(name, "-._") => name.to_owned(),
        Some(_) => return None,
        // Without a name the caller is known by what does not give the token away.
        None => hex(&digest[..6]),
    };
    Some(Token { name, digest })
}
