//! Names of distributions and extras.

use std::fmt;

/// Longest name there is a use for, in bytes.
const MAX_LEN: usize = 128;

/// A name in its normal form (PEP 503): lower case, runs of `-`, `_` and `.` as one `-`. Two spellings of a name are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// Reads any spelling. `None` when it is not a name: letters, digits, `-`, `_` and `.`, with a letter or digit at both ends.
    pub fn parse(text: &str) -> Option<Name> {
        let bytes = text.as_bytes();
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        let ends = [bytes.first()?, bytes.last()?];
        if bytes.len() > MAX_LEN || !ends.iter().all(|end| end.is_ascii_alphanumeric()) || !bytes.iter().all(allowed) {
            return None;
        }
        let mut name = String::with_capacity(text.len());
        for character in text.chars() {
            match character {
                '-' | '_' | '.' if name.ends_with('-') => {}
                '-' | '_' | '.' => name.push('-'),
                other => name.push(other.to_ascii_lowercase()),
            }
        }
        Some(Name(name))
    }

    /// The normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The names that many people ask for, one per line.
const POPULAR: &str = include_str!("popular.txt");
/// Most names that are suggested.
const MAX_SUGGESTED: usize = 3;

/// The names that many people ask for.
pub(crate) fn popular<'a>() -> impl Iterator<Item = &'a str> {
    POPULAR.lines()
}

/// Names that were probably meant, among these: few of their letters differ, or they are the same but for a common prefix or suffix.
/// The nearest first.
pub(crate) fn nearest<'a>(asked: &Name, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let core = |name: &str| -> String {
        let name = name
            .strip_prefix("python-")
            .or_else(|| name.strip_prefix("py"))
            .unwrap_or(name);
        let name = name.trim_end_matches(|digit: char| digit.is_ascii_digit());
        name.trim_end_matches("-python").replace('-', "")
    };
    let text = asked.as_str();
    let mut near: Vec<(usize, &str)> = names
        .filter(|name| *name != text)
        .filter_map(|name| {
            // Short names are near to everything.
            let allowed = text.len().min(name.len()).div_ceil(4).min(3);
            let is_long = name.len().abs_diff(text.len()) > allowed;
            let distance = if is_long {
                usize::MAX
            } else {
                distance(text.as_bytes(), name.as_bytes())
            };
            let is_same = core(name) == core(text) && core(text).len() > 1;
            match distance {
                near if near <= allowed => Some((near, name)),
                _ if is_same => Some((allowed, name)),
                _ => None,
            }
        })
        .collect();
    near.sort();
    near.dedup_by_key(|(_, name)| *name);
    near.into_iter()
        .take(MAX_SUGGESTED)
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// How many insertions, deletions, substitutions and swaps of neighbors turn one text into the other.
fn distance(from: &[u8], to: &[u8]) -> usize {
    let row = |index: usize| -> Vec<usize> { std::iter::once(index).chain(std::iter::repeat_n(0, to.len())).collect() };
    let (mut before, mut last): (Vec<usize>, Vec<usize>) = (vec![], (0..=to.len()).collect());
    for (i, from_byte) in from.iter().enumerate() {
        let mut current = row(i + 1);
        for (j, to_byte) in to.iter().enumerate() {
            let same = from_byte == to_byte;
            let mut best = (last[j + 1] + 1).min(current[j] + 1).min(last[j] + usize::from(!same));
            if i > 0 && j > 0 && *from_byte == to[j - 1] && from[i - 1] == *to_byte {
                best = best.min(before[j - 1] + 1);
            }
            current[j + 1] = best;
        }
        before = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_name_are_equal() {
        for spelling in [
            "friendly-bard",
            "Friendly-Bard",
            "FRIENDLY-BARD",
            "friendly.bard",
            "friendly_bard",
            "friendly--._-bard",
        ] {
            assert_eq!(Name::parse(spelling).unwrap().as_str(), "friendly-bard");
        }
        for bad in ["", "-a", "a-", "a b", "ä", "a/b", "..", "a\n", &"a".repeat(129)] {
            assert_eq!(Name::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn distances() {
        for (from, to, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("numpy", "nmupy", 1),
            ("numpy", "numpi", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(from.as_bytes(), to.as_bytes()), expected, "{from} {to}");
            assert_eq!(distance(to.as_bytes(), from.as_bytes()), expected, "{to} {from}");
        }
    }

    #[test]
    fn names_many_people_ask_for_are_suggested() {
        let names = || popular().chain(["prims-selftest"]);
        let suggest = |asked| nearest(&Name::parse(asked).unwrap(), names());
        assert_eq!(suggest("reqeusts"), ["requests"]);
        assert_eq!(suggest("prims-selftst"), ["prims-selftest"]);
        assert_eq!(suggest("python-requests"), ["requests"]);
        assert!(suggest("beautifulsoup").contains(&"beautifulsoup4".to_owned()));
        assert_eq!(suggest("qqqqqqqqqqqqqqqqqqqqqqqqqq"), Vec::<String>::new());
        assert!(POPULAR.lines().count() > 300);
        assert!(POPULAR.lines().all(|name| Name::parse(name).unwrap().as_str() == name));
        assert!(POPULAR.lines().is_sorted());
    }
}
