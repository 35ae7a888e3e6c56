//! Randomness.

use super::Wasi;
use super::abi::{Errno, Guest, Res};

/// Where the guest's randomness comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entropy {
    /// Always this byte: while an image is built, so that no randomness is copied into every run, and so that building it
    /// twice gives the same image.
    Constant(u8),
    /// The host's operating system.
    Os,
}

/// How much is filled between two looks at the watch.
const PIECE: usize = 64 << 10;

impl Wasi {
    pub(super) fn random_get(&mut self, guest: &mut Guest<'_>, buf: u32, len: u32) -> Res<()> {
        let bytes = guest.bytes_mut(buf, len)?;
        for piece in bytes.chunks_mut(PIECE) {
            match self.spec.entropy {
                Entropy::Constant(byte) => piece.fill(byte),
                Entropy::Os => getrandom::fill(piece).map_err(|_| Errno::Io)?,
            }
            if piece.len() == PIECE {
                self.spec.watch.check()?;
            }
        }
        Ok(())
    }
}
