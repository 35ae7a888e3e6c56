//! What people see: output of the code as it comes, progress of slow steps, errors with a hint.
//!
//! This is the one place that prints. The code's output is data from a stranger: on a terminal its control sequences are made
//! visible, except colors, so that it cannot retitle the window, write to the clipboard or hide text.

#![allow(clippy::print_stderr)]

use indicatif::{ProgressBar, ProgressStyle};
use prims_sandbox::{OutputSink, Progress, ProgressSink, Stream};
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Prints an error and what to do about it.
pub(crate) fn error(error: &dyn std::error::Error, hint: Option<String>) {
    eprint!("error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        eprint!(": {cause}");
        source = cause.source();
    }
    eprintln!();
    if let Some(hint) = hint {
        eprintln!("hint: {hint}");
    }
}

/// Prints a line about what the program itself does.
pub(crate) fn note(line: &str) {
    eprintln!("prims-wasm: {line}");
}

/// Writes to standard output; a closed pipe ends quietly, as it does for other commands.
pub(crate) fn out(text: &str) {
    let _ = write(Stream::Stdout, text.as_bytes());
}

/// Streams the code's output to this process's own.
pub(crate) fn live() -> OutputSink {
    let filters = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
    let state = Mutex::new((Neutralizer::default(), Neutralizer::default()));
    Arc::new(move |stream, bytes| {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let (filter, neutralizer) = match stream {
            Stream::Stdout => (filters.0, &mut state.0),
            Stream::Stderr => (filters.1, &mut state.1),
        };
        let _ = if filter {
            write(stream, &neutralizer.pass(bytes))
        } else {
            write(stream, bytes)
        };
    })
}

fn write(stream: Stream, bytes: &[u8]) -> std::io::Result<()> {
    match stream {
        Stream::Stdout => {
            let mut out = std::io::stdout().lock();
            out.write_all(bytes)?;
            out.flush()
        }
        Stream::Stderr => std::io::stderr().lock().write_all(bytes),
    }
}

/// Makes control characters visible and lets colors through: `ESC [ … m` and nothing else.
#[derive(Default)]
struct Neutralizer {
    /// The beginning of a sequence whose end has not come yet.
    pending: Vec<u8>,
}

impl Neutralizer {
    const ESCAPE: u8 = 0x1b;
    /// Longer than any color sequence.
    const LONGEST: usize = 40;

    fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            if self.pending.is_empty() {
                match byte {
                    Self::ESCAPE => self.pending.push(byte),
                    b'\n' | b'\t' | b'\r' | 0x20..=0x7e | 0x80..=0xff => out.push(byte),
                    _ => out.extend(format!("\\x{byte:02x}").bytes()),
                }
                continue;
            }
            self.pending.push(byte);
            let color = match (self.pending.len(), byte) {
                (2, b'[') => continue,
                (3.., b'0'..=b'9' | b';' | b':') if self.pending.len() < Self::LONGEST => continue,
                (3.., b'm') => true,
                _ => false,
            };
            let sequence = std::mem::take(&mut self.pending);
            if color {
                out.extend(sequence);
            } else {
                out.extend(b"\\x1b");
                out.extend(self.pass(&sequence[1..]));
            }
        }
        out
    }
}

/// Shows slow steps: a spinner on a terminal, one line each otherwise.
pub(crate) fn progress() -> ProgressSink {
    if !std::io::stderr().is_terminal() {
        return Arc::new(|progress| {
            if progress != Progress::Ready {
                note(&describe(&progress));
            }
        });
    }
    let bar: Mutex<Option<ProgressBar>> = Mutex::new(None);
    Arc::new(move |progress| {
        let mut bar = bar.lock().unwrap_or_else(PoisonError::into_inner);
        if progress == Progress::Ready {
            if let Some(bar) = bar.take() {
                bar.finish_and_clear();
            }
            return;
        }
        let bar = bar.get_or_insert_with(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        bar.set_message(describe(&progress));
    })
}

fn describe(progress: &Progress) -> String {
    match progress {
        Progress::CompilingInterpreter => "compiling the interpreter, once per version".into(),
        Progress::CompilingModule { name, done, total } => format!("compiling {name} ({} of {total})", done + 1),
        Progress::BuildingImage => "starting the interpreter and importing packages, once per environment".into(),
        _ => "preparing".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_pass_and_everything_else_becomes_visible() {
        let mut filter = Neutralizer::default();
        assert_eq!(filter.pass(b"\x1b[1;31mred\x1b[0m\n"), b"\x1b[1;31mred\x1b[0m\n");
        assert_eq!(filter.pass(b"\x1b]0;title\x07"), b"\\x1b]0;title\\x07");
        assert_eq!(filter.pass(b"a\x1b[2J\x1b\x1b[0m"), b"a\\x1b[2J\\x1b\x1b[0m");
        assert_eq!(filter.pass(b"\x1b[3"), b"");
        assert_eq!(filter.pass(b"2mgreen"), b"\x1b[32mgreen");
        assert_eq!(filter.pass("é\u{202e}".as_bytes()), "é\u{202e}".as_bytes());
    }
}
