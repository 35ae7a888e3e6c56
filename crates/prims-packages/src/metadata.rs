//! What a wheel says about itself: `METADATA` and `WHEEL`.

use crate::error::WheelProblem;
use crate::filename::{WheelFilename, same_release};
use crate::marker::Marker;
use crate::name::Name;
use crate::requirement::{Refused, Requirement};
use crate::specifiers::parse_leniently;
use crate::target::Target;
use pep440_rs::{Version, VersionSpecifiers};
use std::collections::BTreeSet;
use std::str::FromStr;

/// Most dependencies of one wheel. Those with the most have some hundred, of which nearly all belong to extras.
const MAX_DEPENDENCIES: usize = 4096;
/// Most characters of a dependency that a message quotes.
const MAX_QUOTED: usize = 120;
/// Fields of a description.
const MAX_HEADERS: usize = 10_000;

/// The parts of `METADATA` that matter for choosing.
#[derive(Clone, Debug)]
pub struct Metadata {
    pub(crate) name: Name,
    pub(crate) version: Version,
    pub(crate) requires: Vec<Requirement>,
    /// What it needs and nothing here can give it.
    pub(crate) unusable: Vec<Unusable>,
    pub(crate) requires_python: Option<VersionSpecifiers>,
    pub(crate) extras: BTreeSet<Name>,
}

/// A dependency that is not read: a URL, or no requirement at all. It matters only where it applies.
#[derive(Clone, Debug)]
pub(crate) struct Unusable {
    text: String,
    reason: Refused,
    /// `None` when it always applies, or when nobody can tell.
    marker: Option<Marker>,
}

impl Unusable {
    fn new(text: &str, reason: Refused) -> Unusable {
        // A URL may contain a semicolon. The one in front of a marker follows a space, or a text that is no URL.
        let marker = text.rsplit_once(" ;").or_else(|| text.rsplit_once(';'));
        Unusable {
            text: text.chars().take(MAX_QUOTED).collect(),
            reason,
            marker: marker.and_then(|(_, marker)| Marker::parse(marker).ok()),
        }
    }

    /// Whether it applies, with one extra active or none.
    pub(crate) fn applies(&self, target: &Target, extra: Option<&Name>) -> bool {
        self.marker.as_ref().is_none_or(|marker| marker.holds(target, extra))
    }

    /// What is wrong with it.
    pub(crate) fn describe(&self) -> String {
        format!("its dependency `{}` {}", self.text.escape_debug(), self.reason)
    }
}

impl Metadata {
    /// The name of the package.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Its version.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// What always applies and cannot be given, or applies with an extra.
    pub(crate) fn unusable(&self, target: &Target, extra: Option<&Name>) -> Option<&Unusable> {
        self.unusable
            .iter()
            .find(|dependency| dependency.applies(target, extra))
    }

    /// Reads the `METADATA` of a wheel, which has to agree with its file name.
    pub(crate) fn of(filename: &WheelFilename, text: &[u8]) -> Result<Metadata, WheelProblem> {
        let metadata = Metadata::parse(text).map_err(|reason| WheelProblem::Description {
            file: "METADATA",
            reason,
        })?;
        let expected = (&filename.name, &filename.version);
        same_release((&metadata.name, &metadata.version), expected)?;
        Ok(metadata)
    }

    /// Reads a file `METADATA`. Dependencies that nothing here can give are kept with the reason: they matter where they apply.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence that starts with the file's name.
    pub fn parse(text: &[u8]) -> Result<Metadata, String> {
        let headers = headers(text)?;
        let all = |name: &str| -> Vec<&str> {
            let named = headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
            named.map(|(_, value)| value.as_str()).collect()
        };
        let one = |name: &str| match all(name)[..] {
            [value] => Ok(value),
            [] => Err(format!("`{name}` is missing")),
            _ => Err(format!("`{name}` is there twice")),
        };
        let format = one("Metadata-Version")?;
        if !["1.", "2."].iter().any(|known| format.starts_with(known)) {
            return Err(format!("its format is `{format}`, expected 1.x or 2.x"));
        }
        let name = one("Name")?;
        let version = one("Version")?;
        let (mut requires, mut unusable) = (vec![], vec![]);
        let dependencies = all("Requires-Dist");
        if dependencies.len() > MAX_DEPENDENCIES {
            return Err(format!(
                "it has {} dependencies, expected at most {MAX_DEPENDENCIES}",
                dependencies.len()
            ));
        }
        for text in dependencies {
            match Requirement::parse_leniently(text) {
                Ok(requirement) => requires.push(requirement),
                Err(reason) => unusable.push(Unusable::new(text, reason)),
            }
        }
        let requires_python = all("Requires-Python")
            .first()
            .map(|text| parse_leniently(text).ok_or_else(|| format!("`Requires-Python` is `{}`", text.escape_debug())));
        Ok(Metadata {
            name: Name::parse(name).ok_or_else(|| format!("`Name` is `{}`", name.escape_debug()))?,
            version: Version::from_str(version).map_err(|_| format!("`Version` is `{}`", version.escape_debug()))?,
            requires,
            unusable,
            requires_python: requires_python.transpose()?,
            extras: all("Provides-Extra").into_iter().filter_map(Name::parse).collect(),
        })
    }
}

/// Fails unless `WHEEL` describes a version of the format that is known.
pub(crate) fn check_wheel(text: &[u8]) -> Result<(), String> {
    let headers = headers(text)?;
    let version = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("Wheel-Version"));
    let (_, version) = version.ok_or("`Wheel-Version` is missing")?;
    if version.starts_with("1.") {
        Ok(())
    } else {
        Err(format!("its format is `{}`, expected 1.x", version.escape_debug()))
    }
}

/// Lines of the form `Name: value` up to the first empty one; lines that start with a space go on with the value before.
fn headers(text: &[u8]) -> Result<Vec<(String, String)>, String> {
    let text = std::str::from_utf8(text).map_err(|_| "it is not UTF-8")?;
    let mut headers: Vec<(String, String)> = vec![];
    for line in text.lines().take_while(|line| !line.is_empty()) {
        if line.starts_with([' ', '\t']) {
            let (_, value) = headers.last_mut().ok_or("its first line belongs to nothing")?;
            value.push(' ');
            value.push_str(line.trim());
        } else {
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| format!("a line is `{}`", line.escape_debug()))?;
            if headers.len() == MAX_HEADERS {
                return Err(format!("it has more than {MAX_HEADERS} fields"));
            }
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_read() {
        let text = "Metadata-Version: 2.4\nName: A_b\nVersion: 1.0\nSummary: x\n  more\nRequires-Python: >=3.9, <4\n\
            Requires-Dist: numpy (>=2) ; python_version >= '3'\nRequires-Dist: c[d]; extra == 'x'\nProvides-Extra: X\n\nName: body\n";
        let found = Metadata::parse(text.as_bytes()).unwrap();
        assert_eq!(
            (found.name.as_str(), found.version.to_string().as_str()),
            ("a-b", "1.0")
        );
        assert_eq!(found.requires.len(), 2);
        assert_eq!(found.extras.iter().map(Name::as_str).collect::<Vec<_>>(), ["x"]);
        assert!(
            found
                .requires_python
                .unwrap()
                .contains(&Version::from_str("3.13").unwrap())
        );
    }

    #[test]
    fn what_cannot_be_given_matters_where_it_applies() {
        let text = "Metadata-Version: 2.1\nName: a\nVersion: 1\nProvides-Extra: x\nProvides-Extra: y\n\
            Requires-Dist: b @ https://host/b;c.whl ; extra == 'x'\nRequires-Dist: c ?? 1; sys_platform == 'win32'\n\
            Requires-Dist: d>=1.0.*,\nRequires-Dist: e @ git+https://host/e ;extra == 'y'\n";
        let found = Metadata::parse(text.as_bytes()).unwrap();
        assert_eq!((found.requires.len(), found.unusable.len()), (1, 3));
        let unusable = |extra: Option<&str>| {
            let extra = extra.and_then(Name::parse);
            found
                .unusable(&Target::default(), extra.as_ref())
                .map(Unusable::describe)
        };
        assert_eq!(unusable(None), None);
        let said = "its dependency `b @ https://host/b;c.whl ; extra == \\'x\\'` names a URL or a repository, expected the name of a \
            package from the index";
        assert_eq!(unusable(Some("x")).unwrap(), said);
        assert!(unusable(Some("y")).unwrap().contains("`e @ git"));
        // Where its condition does not read, it counts.
        let text = "Metadata-Version: 2.1\nName: a\nVersion: 1\nRequires-Dist: b; nonsense\n";
        let found = Metadata::parse(text.as_bytes()).unwrap();
        assert!(found.unusable(&Target::default(), None).is_some());
        let many = format!(
            "Metadata-Version: 2.1\nName: a\nVersion: 1\n{}",
            "Requires-Dist: b\n".repeat(4097)
        );
        assert!(Metadata::parse(many.as_bytes()).is_err());
    }

    #[test]
    fn metadata_that_contradicts_itself_is_refused() {
        for bad in [
            "",
            "Name: a\nVersion: 1\n",
            "Metadata-Version: 3.0\nName: a\nVersion: 1\n",
            "Metadata-Version: 2.1\nName: a\nName: b\nVersion: 1\n",
            "Metadata-Version: 2.1\nName: a b\nVersion: 1\n",
            "Metadata-Version: 2.1\nName: a\nVersion: one\n",
            "Metadata-Version: 2.1\nName: a\nVersion: 1\nRequires-Python: yes\n",
            " Name: a\n",
            "nonsense\n",
            &format!(
                "Metadata-Version: 2.1\nName: a\nVersion: 1\n{}",
                "X: y\n".repeat(MAX_HEADERS)
            ),
        ] {
            assert!(Metadata::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(check_wheel(b"Wheel-Version: 1.0\n").is_ok());
        assert!(check_wheel(b"Wheel-Version: 2.0\n").is_err());
        assert!(check_wheel(b"").is_err());
    }
}
