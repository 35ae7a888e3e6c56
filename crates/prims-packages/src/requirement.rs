//! What was asked for.

use crate::error::Error;
use crate::marker::Marker;
use crate::name::Name;
use crate::specifiers::parse_leniently;
use crate::target::Target;
use pep440_rs::{Version, VersionSpecifiers};
use std::collections::BTreeSet;
use std::str::FromStr;

/// Longest requirement, in bytes.
const MAX_LEN: usize = 1024;
/// Most requirements at a time.
const MAX_COUNT: usize = 256;

/// Why a text is not taken as a requirement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// There is nothing.
    #[error("is empty")]
    Empty,
    /// There is too much.
    #[error("is {found} bytes long, expected at most {limit}")]
    TooLong {
        /// Bytes given.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// It is an option of an installer.
    #[error("is an option, expected the name of a package")]
    Option,
    /// It says where to get the package.
    #[error("names a URL or a repository, expected the name of a package from the index")]
    Url,
    /// It is a file or folder.
    #[error("names a file, expected the name of a package from the index")]
    Path,
    /// It contains what never belongs in one.
    #[error("contains a line break or another control character")]
    Control,
    /// It is something else.
    #[error("cannot be read: {0}")]
    Syntax(String),
}

/// One package that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    pub(crate) name: Name,
    pub(crate) extras: BTreeSet<Name>,
    pub(crate) versions: VersionSpecifiers,
    pub(crate) marker: Option<Marker>,
}

impl Requirement {
    /// The package's name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Whether it applies to a target, with one extra active or none.
    pub(crate) fn applies(&self, target: &Target, extra: Option<&Name>) -> bool {
        self.marker.as_ref().is_none_or(|marker| marker.holds(target, extra))
    }

    /// Whether a version is one of those asked for. The version that was chosen counts even if it is a pre-release.
    pub(crate) fn accepts(&self, version: &Version) -> bool {
        self.versions.contains(version)
    }

    /// Reads a requirement as PEP 508 writes it, without its URL form.
    pub(crate) fn parse(text: &str) -> Result<Requirement, Refused> {
        Requirement::parse_with(text, |versions| VersionSpecifiers::from_str(versions).ok())
    }

    /// The same for what old packages say of themselves, with some well-known mistakes in versions.
    pub(crate) fn parse_leniently(text: &str) -> Result<Requirement, Refused> {
        Requirement::parse_with(text, parse_leniently)
    }

    fn parse_with(text: &str, read: impl Fn(&str) -> Option<VersionSpecifiers>) -> Result<Requirement, Refused> {
        if text.len() > MAX_LEN {
            return Err(Refused::TooLong {
                found: text.len(),
                limit: MAX_LEN,
            });
        }
        if text.contains(|character: char| character.is_control() && character != '\t') {
            return Err(Refused::Control);
        }
        let text = text.trim();
        if text.is_empty() {
            return Err(Refused::Empty);
        }
        if text.starts_with('-') {
            return Err(Refused::Option);
        }
        let (front, marker) = match text.split_once(';') {
            Some((front, marker)) => (front, Some(marker)),
            None => (text, None),
        };
        // Refused by name rather than as bad syntax, so that whoever asks knows that it is not a matter of spelling.
        if front.contains("://") || front.contains('@') || front.starts_with("git+") {
            return Err(Refused::Url);
        }
        let is_file = [".whl", ".tar.gz", ".zip", ".txt", ".toml"]
            .iter()
            .any(|end| front.trim_end().ends_with(end));
        if front.contains(['/', '\\']) || front.starts_with(['.', '~']) || is_file {
            return Err(Refused::Path);
        }
        if front.split_ascii_whitespace().skip(1).any(|word| word.starts_with('-')) {
            return Err(Refused::Option);
        }
        let marker = marker.map(Marker::parse).transpose().map_err(Refused::Syntax)?;
        Requirement::parse_front(front, marker, read)
    }

    fn parse_front(
        front: &str,
        marker: Option<Marker>,
        read: impl Fn(&str) -> Option<VersionSpecifiers>,
    ) -> Result<Requirement, Refused> {
        let syntax = |text: String| Refused::Syntax(text);
        let is_name = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        let (name, rest) = front.split_at(front.find(|character| !is_name(character)).unwrap_or(front.len()));
        let name = Name::parse(name).ok_or_else(|| syntax(format!("`{name}` is not a package name")))?;
        let (extras, rest) = match rest.trim_start().strip_prefix('[') {
            Some(rest) => rest
                .split_once(']')
                .ok_or_else(|| syntax("expected `]` after its extras".into()))?,
            None => ("", rest),
        };
        let extras = extras.split(',').map(str::trim).filter(|extra| !extra.is_empty());
        let extras = extras.map(|extra| Name::parse(extra).ok_or_else(|| syntax(format!("`{extra}` is not an extra"))));
        let extras = extras.collect::<Result<_, _>>()?;
        let versions = rest.trim();
        let versions = match versions.strip_prefix('(') {
            Some(inner) => inner
                .strip_suffix(')')
                .ok_or_else(|| syntax("expected `)` after its versions".into()))?,
            None => versions,
        };
        let versions = read(versions)
            .ok_or_else(|| syntax(format!("`{versions}` is not a version specifier such as `>=2,<3`")))?;
        Ok(Requirement {
            name,
            extras,
            versions,
            marker,
        })
    }
}

/// The packages that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements(pub(crate) Vec<Requirement>);

impl Requirements {
    /// Reads requirements such as `numpy`, `numpy==2.4.6`, `numpy>=2,<3`, `package[extra]; python_version >= "3.9"`.
    ///
    /// # Errors
    /// [`Error::Requirement`] for the first that is refused: URLs, repositories, files, options and anything over-long are refused
    /// by name. [`Error::TooManyRequirements`] for more than 256.
    pub fn parse(texts: &[&str]) -> Result<Requirements, Error> {
        if texts.len() > MAX_COUNT {
            return Err(Error::TooManyRequirements {
                found: texts.len(),
                limit: MAX_COUNT,
            });
        }
        let parse = |text: &&str| {
            Requirement::parse(text).map_err(|reason| Error::Requirement {
                requirement: shorten(text),
                reason,
            })
        };
        texts.iter().map(parse).collect::<Result<_, _>>().map(Requirements)
    }

    /// These and others.
    #[must_use]
    pub fn and(&self, others: &Requirements) -> Requirements {
        Requirements(self.0.iter().chain(&others.0).cloned().collect())
    }

    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The requirements in the order they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Requirement> {
        self.0.iter()
    }
}

/// What a message quotes: not too much, and nothing that is not text.
pub(crate) fn shorten(text: &str) -> String {
    let mut short: String = text.trim().chars().take(80).flat_map(char::escape_debug).collect();
    if text.trim().chars().count() > 80 {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Refused {
        Requirement::parse(text).unwrap_err()
    }

    #[test]
    fn requirements_are_read() {
        for (text, name, extras, accepted, rejected) in [
            ("numpy", "numpy", "", "2.4.6", ""),
            (" NumPy ", "numpy", "", "2.4.6", ""),
            ("numpy==2.4.6", "numpy", "", "2.4.6", "2.4.7"),
            ("numpy == 2.4.*", "numpy", "", "2.4.6", "2.5"),
            ("numpy>=2,<3", "numpy", "", "2.4.6", "3.0"),
            ("numpy (>=2)", "numpy", "", "2.4.6", "1.26"),
            ("numpy~=2.4", "numpy", "", "2.9", "3.0"),
            ("my_pkg [b, A.c]>=1", "my-pkg", "a-c,b", "1", "0.9"),
            ("pkg[]", "pkg", "", "1", ""),
            ("pkg>=1;python_version>='3'", "pkg", "", "1", "0"),
        ] {
            let found = Requirement::parse(text).unwrap();
            let found_extras: Vec<&str> = found.extras.iter().map(Name::as_str).collect();
            assert_eq!(
                (found.name.as_str(), found_extras.join(",").as_str()),
                (name, extras),
                "{text}"
            );
            assert!(found.accepts(&Version::from_str(accepted).unwrap()), "{text}");
            assert!(
                rejected.is_empty() || !found.accepts(&Version::from_str(rejected).unwrap()),
                "{text}"
            );
        }
    }

    #[test]
    fn other_forms_are_refused_by_name() {
        for url in [
            "numpy @ https://host/numpy.whl",
            "numpy@file:///etc/passwd",
            "git+https://host/repository",
            "https://host/numpy-1-py3-none-any.whl",
            "git+ssh://git@host/x",
        ] {
            assert_eq!(refused(url), Refused::Url, "{url}");
        }
        for path in [
            "./numpy",
            "/etc/passwd",
            "..",
            "~/x",
            "a/b",
            "C:\\x",
            "numpy-1-py3-none-any.whl",
            "x.tar.gz",
            "requirements.txt",
        ] {
            assert_eq!(refused(path), Refused::Path, "{path}");
        }
        for option in [
            "-r requirements.txt",
            "--index-url=x",
            "-e .",
            "numpy --pre",
            "numpy -i evil",
        ] {
            assert!(matches!(refused(option), Refused::Option), "{option}");
        }
        for control in ["numpy\n--index-url x", "numpy\0", "a\u{7f}"] {
            assert_eq!(refused(control), Refused::Control, "{control:?}");
        }
        assert_eq!(refused("  "), Refused::Empty);
        assert_eq!(
            refused(&"a".repeat(2000)),
            Refused::TooLong {
                found: 2000,
                limit: 1024
            }
        );
        for syntax in [
            "numpy!",
            "numpy>=",
            "numpy=2",
            "numpy 2",
            "numpy[",
            "numpy[a b]",
            "[x]",
            "numpy>=2 <3",
            "numpy;x",
            "numpy (>=2",
            "ünü",
            "numpy # a",
        ] {
            assert!(
                matches!(refused(syntax), Refused::Syntax(_)),
                "{syntax}: {:?}",
                refused(syntax)
            );
        }
    }

    #[test]
    fn a_marker_made_to_explode_takes_no_time() {
        let terms: Vec<String> = (0..9)
            .map(|i| format!("('a{i}' in sys_platform and 'z{i}' in sys_platform)"))
            .collect();
        let clauses: Vec<String> = (0..9)
            .map(|i| format!("('b{i}' in os_name or 'y{i}' in os_name)"))
            .collect();
        let text = format!("numpy;{} and {}", terms.join("or"), clauses.join("and"));
        let began = std::time::Instant::now();
        assert!(
            !Requirement::parse(&text[..text.len().min(1024)])
                .is_ok_and(|found| found.applies(&Target::default(), None))
        );
        assert!(began.elapsed() < std::time::Duration::from_secs(1));
    }

    #[test]
    fn messages_say_what_was_given() {
        let error = Requirements::parse(&["numpy", "git+https://host/x"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "requirement `git+https://host/x` names a URL or a repository, expected the name of a package from the index"
        );
        assert!(error.hint().is_some());
        let error = Requirements::parse(&[&"x".repeat(2000)]).unwrap_err();
        assert!(error.to_string().len() < 300, "{error}");
        assert!(matches!(
            Requirements::parse(&vec!["a"; 257]),
            Err(Error::TooManyRequirements { .. })
        ));
    }
}
