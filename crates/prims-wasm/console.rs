//! What people see: output of the code as it comes, progress of slow steps, errors with a hint.
//!
//! This is the one place that prints. The code's output is data from a stranger: on a terminal its control sequences are made
//! visible, except colors, so that it cannot retitle the window, write to the clipboard or hide text.

#![allow(clippy::print_stderr)]

use indicatif::{ProgressBar, ProgressStyle};
use prims_packages::Event;
use prims_sandbox::{OutputSink, Progress, ProgressSink, Stream};
use std::collections::BTreeMap;
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

/// Shows slow steps of the sandbox: a spinner on a terminal, one line each otherwise.
pub(crate) fn progress() -> ProgressSink {
    if !std::io::stderr().is_terminal() {
        return Arc::new(|progress| {
            if progress != Progress::Ready {
                note(&describe(&progress));
            }
        });
    }
    let spinner = Spinner::default();
    Arc::new(move |progress| match progress {
        Progress::Ready => spinner.clear(),
        progress => spinner.say(describe(&progress)),
    })
}

/// Shows what packages are looked up, fetched and unpacked: a spinner and a bar on a terminal, otherwise one line for each wheel that
/// is fetched.
pub(crate) fn package_progress() -> prims_packages::Progress {
    if !std::io::stderr().is_terminal() {
        return prims_packages::Progress::new(|event| match event {
            Event::Fetched { name, bytes } => note(&format!("fetched {name} ({})", size(bytes))),
            Event::Stale { name, index, reason } => stale(&name, &index, &reason),
            _ => {}
        });
    }
    let (spinner, bars) = (Spinner::default(), Mutex::new(Downloads::default()));
    prims_packages::Progress::new(move |event| {
        let mut bars = bars.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Resolving { name } => spinner.say(format!("resolving {name}")),
            Event::Fetching { name, bytes, total } => {
                spinner.clear();
                bars.fetching(name, bytes, total);
            }
            Event::Fetched { name, bytes } => bars.fetching(name, bytes, Some(bytes)),
            Event::Unpacking { name } => {
                bars.clear();
                spinner.say(format!("unpacking {name}"));
            }
            Event::Stale { name, index, reason } => {
                spinner.clear();
                stale(&name, &index, &reason);
            }
            Event::Done { .. } => {
                bars.clear();
                spinner.clear();
            }
            _ => {}
        }
    })
}

fn stale(name: &str, index: &str, reason: &str) {
    note(&format!(
        "{index} was not asked for {name} ({reason}): what is known of it is used"
    ));
}

/// One line that says what goes on and for how long.
#[derive(Default)]
struct Spinner(Mutex<Option<ProgressBar>>);

impl Spinner {
    fn say(&self, what: String) {
        let mut bar = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = bar.get_or_insert_with(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        bar.set_message(what);
    }

    fn clear(&self) {
        if let Some(bar) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.clear();
    }
}

/// One bar for all downloads together.
#[derive(Default)]
struct Downloads {
    bar: Option<ProgressBar>,
    /// Bytes that came and bytes there will be, by wheel.
    wheels: BTreeMap<String, (u64, u64)>,
}

impl Downloads {
    fn fetching(&mut self, name: String, bytes: u64, total: Option<u64>) {
        self.wheels.insert(name, (bytes, total.unwrap_or(bytes).max(bytes)));
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::new(0);
            let template = "{msg} [{wide_bar}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar
        });
        let (done, total) = self
            .wheels
            .values()
            .fold((0, 0), |sum, wheel| (sum.0 + wheel.0, sum.1 + wheel.1));
        bar.set_length(total);
        bar.set_position(done);
        bar.set_message(format!("fetching {} wheels", self.wheels.len()));
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// Bytes as people read them.
pub(crate) fn size(bytes: u64) -> String {
    let (mut value, mut unit) = (bytes as f64, "B");
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, larger);
    }
    match unit {
        "B" => format!("{bytes} B"),
        _ => format!("{value:.1} {unit}"),
    }
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
