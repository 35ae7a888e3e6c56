//! Text out of bytes that come in pieces.

use prims_sandbox::Stream;

/// Decodes UTF-8 that is cut anywhere. What is not UTF-8 is replaced.
#[derive(Default)]
pub(crate) struct Decoder {
    /// The beginning of a character whose rest has not come: at most three bytes.
    pending: Vec<u8>,
}

impl Decoder {
    /// The text that is complete now.
    pub(crate) fn text(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let all = std::mem::take(&mut self.pending);
        let cut = incomplete(&all);
        self.pending = all[all.len() - cut..].to_vec();
        String::from_utf8_lossy(&all[..all.len() - cut]).into_owned()
    }
}

/// How many bytes at the end are the beginning of a character.
fn incomplete(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let length = match bytes[bytes.len() - back] {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            0x80..=0xbf => continue,
            _ => return 0,
        };
        return if length > back { back } else { 0 };
    }
    0
}

/// One decoder for each stream.
#[derive(Default)]
pub(crate) struct Decoders([Decoder; 2]);

impl Decoders {
    pub(crate) fn of(&mut self, stream: Stream) -> &mut Decoder {
        &mut self.0[usize::from(stream == Stream::Stderr)]
    }
}
