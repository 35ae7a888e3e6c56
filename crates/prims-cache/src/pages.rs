//! The digest of a file with holes, computed without reading them.
//!
//! The file is seen as chunks. A chunk of zeros contributes nothing, whether it is a hole or was written; any other contributes
//! its position and its hash. So the digest depends on the content alone, and empty memory costs neither disk nor time.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// What is hashed at a time: large enough for the hash to use vector instructions, small enough to stay in the processor's cache.
const CHUNK: usize = 64 << 10;

static ZEROS: [u8; CHUNK] = [0; CHUNK];

/// Adds the first `len` bytes of a file to a hash.
pub(crate) fn hash(file: &File, len: u64, hasher: &mut blake3::Hasher) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut at = 0;
    while at < len {
        let Some((from, to)) = next_data(file, at, len)? else {
            break;
        };
        // Chunks that lie partly in a hole are read whole.
        at = from - from % CHUNK as u64;
        while at < to {
            let chunk = &mut buffer[..CHUNK.min(usize::try_from(len - at).unwrap_or(CHUNK))];
            file.read_exact_at(chunk, at)?;
            if *chunk != ZEROS[..chunk.len()] {
                hasher.update(&(at / CHUNK as u64).to_le_bytes());
                hasher.update(blake3::hash(chunk).as_bytes());
            }
            at += chunk.len() as u64;
        }
    }
    Ok(())
}

/// The next stretch of a file that is not a hole: its start and end within `len`. Where the file system does not tell, everything
/// is.
fn next_data(file: &File, at: u64, len: u64) -> io::Result<Option<(u64, u64)>> {
    use rustix::fs::{SeekFrom, seek};
    use rustix::io::Errno;
    let from = match seek(file, SeekFrom::Data(at)) {
        Ok(from) => from.max(at),
        Err(Errno::NXIO) => return Ok(None),
        Err(Errno::INVAL | Errno::NOTSUP | Errno::NOSYS) => return Ok(Some((at, len))),
        Err(error) => return Err(error.into()),
    };
    if from >= len {
        return Ok(None);
    }
    let to = seek(file, SeekFrom::Hole(from))?;
    Ok(Some((from, to.clamp(from + 1, len))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(file: &File, len: u64) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        hash(file, len, &mut hasher).unwrap();
        hasher.finalize()
    }

    #[test]
    fn holes_and_zeros_are_the_same() {
        let (len, sparse, full) = (
            CHUNK as u64 * 5 + 17,
            tempfile::tempfile().unwrap(),
            tempfile::tempfile().unwrap(),
        );
        sparse.set_len(len).unwrap();
        full.write_all_at(&vec![0; len as usize], 0).unwrap();
        for offset in [0, 3, CHUNK as u64 * 2 - 1, CHUNK as u64 * 4, len - 1] {
            sparse.write_all_at(&[7], offset).unwrap();
            full.write_all_at(&[7], offset).unwrap();
            assert_eq!(digest(&sparse, len), digest(&full, len));
        }
    }

    #[test]
    fn position_and_content_both_count() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(CHUNK as u64 * 4).unwrap();
        let mut seen = vec![digest(&file, CHUNK as u64 * 4)];
        for offset in [0, 1, CHUNK as u64, CHUNK as u64 * 3 + 5] {
            file.write_all_at(&[9], offset).unwrap();
            let found = digest(&file, CHUNK as u64 * 4);
            assert!(!seen.contains(&found));
            seen.push(found);
            file.write_all_at(&[0], offset).unwrap();
            assert_eq!(digest(&file, CHUNK as u64 * 4), seen[0]);
        }
    }
}
