//! Replies as text: what a model reads at a glance.

/// Bytes of one part in the text; `structuredContent` has the whole.
const MAX_PART: usize = 64 << 10;

/// Collects labelled parts.
#[derive(Default)]
pub(crate) struct Text(String);

impl Text {
    /// A line of its own.
    pub(crate) fn line(&mut self, line: &str) -> &mut Text {
        self.0.push_str(line);
        self.0.push('\n');
        self
    }

    /// A labelled part, on the label's line if it is one line; nothing if it is empty.
    pub(crate) fn part(&mut self, label: &str, text: &str) -> &mut Text {
        let text = cut(text.trim_end_matches('\n'));
        if text.is_empty() {
            return self;
        }
        let between = if text.contains('\n') { '\n' } else { ' ' };
        self.0.push_str(label);
        self.0.push(':');
        self.0.push(between);
        self.0.push_str(&text);
        self.0.push('\n');
        self
    }

    /// Whether nothing was said yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text, or `otherwise` if there is none.
    pub(crate) fn or(&mut self, otherwise: &str) -> String {
        let text = std::mem::take(&mut self.0);
        match text.trim_end_matches('\n') {
            "" => otherwise.to_owned(),
            text => text.to_owned(),
        }
    }
}

/// The beginning and the end of a long text.
fn cut(text: &str) -> std::borrow::Cow<'_, str> {
    if text.len() <= MAX_PART {
        return text.into();
    }
    let head = text.floor_char_boundary(MAX_PART * 3 / 4);
    let tail = text.ceil_char_boundary(text.len() - MAX_PART / 4);
    let left_out = tail - head;
    format!(
        "{}\n[... {left_out} bytes left out ...]\n{}",
        &text[..head],
        &text[tail..]
    )
    .into()
}

/// A size for people: `12.3 kB`.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// A time as ISO 8601 in UTC, to the second.
pub(crate) fn time(at: std::time::SystemTime) -> String {
    let seconds = at
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar: whole 400-year eras that begin on a first of
/// March, so that the leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn times() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_785_196_800, "2026-07-28T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(time(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn parts() {
        let text = Text::default()
            .part("stdout", "a\nb\n")
            .part("stderr", "")
            .part("value", "2")
            .or("nothing");
        assert_eq!(text, "stdout:\na\nb\nvalue: 2");
        assert_eq!(Text::default().part("stdout", "\n").or("nothing"), "nothing");
        let long = Text::default().part("stdout", &"é".repeat(MAX_PART)).or("");
        assert!(long.len() < MAX_PART + 100 && long.contains("bytes left out"));
    }

    #[test]
    fn sizes() {
        assert_eq!(
            [size(0), size(999), size(12_345), size(12_345_678)],
            ["0 B", "999 B", "12.3 kB", "12.3 MB"]
        );
    }
}
