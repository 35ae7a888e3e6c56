//! What a wheel's file name says.

use crate::error::WheelProblem;
use crate::name::Name;
use crate::target::{BuiltFor, Fit, Target};
use pep440_rs::Version;
use std::str::FromStr;

/// A wheel's file name, read: `name-version(-build)?-python-abi-platform.whl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WheelFilename {
    /// The package.
    pub name: Name,
    pub(crate) version: Version,
    /// Breaks ties between wheels of the same version: a number, then a text.
    pub(crate) build: Option<(u64, String)>,
    tags: [String; 3],
    text: String,
}

impl WheelFilename {
    /// Reads a file name strictly.
    ///
    /// # Errors
    /// [`WheelProblem::Filename`] says which part is wrong.
    pub fn parse(filename: &str) -> Result<WheelFilename, WheelProblem> {
        let bad = WheelProblem::Filename;
        let stem = filename
            .strip_suffix(".whl")
            .ok_or(bad("expected it to end in `.whl`"))?;
        if filename.len() > 255 {
            return Err(bad("it is longer than 255 bytes"));
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+!".contains(&byte);
        if !stem.bytes().all(allowed) {
            return Err(bad("it contains a character that no wheel's name has"));
        }
        let parts: Vec<&str> = stem.split('-').collect();
        let (name, version, build, tags) = match parts[..] {
            [name, version, python, abi, platform] => (name, version, None, [python, abi, platform]),
            [name, version, build, python, abi, platform] => (name, version, Some(build), [python, abi, platform]),
            _ => return Err(bad("expected five or six parts between hyphens")),
        };
        let name = Name::parse(name).ok_or(bad("its first part is not a package name"))?;
        let version = Version::from_str(version).map_err(|_| bad("its second part is not a version"))?;
        let build = match build {
            Some(build) => Some(read_build(build).ok_or(bad("its build number does not start with a number"))?),
            None => None,
        };
        let is_tag = |tag: &&str| {
            let is_part =
                |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            tag.split('.').all(is_part)
        };
        if !tags.iter().all(is_tag) {
            return Err(bad("its tags do not read"));
        }
        Ok(WheelFilename {
            name,
            version,
            build,
            tags: tags.map(str::to_ascii_lowercase),
            text: filename.to_owned(),
        })
    }

    /// The file name as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The version in its normal form.
    pub fn version(&self) -> String {
        self.version.to_string()
    }

    /// Its tags as they are written, with hyphens between them.
    pub(crate) fn tags(&self) -> String {
        self.tags.join("-")
    }

    /// Whether it has no native code, going by its tags.
    pub(crate) fn is_pure(&self) -> bool {
        self.tags[2] == "any"
    }

    /// Whether it contains WebAssembly.
    pub(crate) fn is_wasm(&self) -> bool {
        self.tags[2].split('.').any(|platform| platform.ends_with("_wasm32"))
    }

    /// How well it fits, if it fits.
    pub(crate) fn fit(&self, target: &Target) -> Option<Fit> {
        let [python, abi, platform] = &self.tags;
        target.fit(python, abi, platform)
    }

    /// Fails when the wheel is not for the target, or was built for something that only resembles it.
    pub(crate) fn check(&self, target: &Target) -> Result<(), WheelProblem> {
        if self.fit(target).is_some_and(|fit| fit.built_for != BuiltFor::Pyodide) {
            return Ok(());
        }
        Err(WheelProblem::Tag {
            found: self.tags(),
            expected: target.describe(),
        })
    }
}

/// Fails when a name and a version are not those that are expected.
pub(crate) fn same_release(found: (&Name, &Version), expected: (&Name, &Version)) -> Result<(), WheelProblem> {
    let differs = |what, found: String, expected: String| Err(WheelProblem::Identity { what, found, expected });
    if found.0 != expected.0 {
        return differs("name", found.0.to_string(), expected.0.to_string());
    }
    if found.1 != expected.1 {
        return differs("version", found.1.to_string(), expected.1.to_string());
    }
    Ok(())
}

fn read_build(text: &str) -> Option<(u64, String)> {
    let end = text.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    Some((number.parse().ok()?, rest.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        let found = WheelFilename::parse("NumPy-2.4.6-cp313-cp313-wasi_0_1_wasm32.whl").unwrap();
        assert_eq!((found.name.as_str(), found.version().as_str()), ("numpy", "2.4.6"));
        found.check(&Target::default()).unwrap();
        let found = WheelFilename::parse("a_b-1.0.post1+local.1-7x-py2.py3-none-any.whl").unwrap();
        assert_eq!(
            (found.name.as_str(), found.version().as_str()),
            ("a-b", "1.0.post1+local.1")
        );
        found.check(&Target::default()).unwrap();
        assert_eq!(found.build, Some((7, "x".to_owned())));
        let found = WheelFilename::parse("a-1-cp313-cp313-manylinux_2_17_x86_64.whl").unwrap();
        assert!(matches!(found.check(&Target::default()), Err(WheelProblem::Tag { .. })));
    }

    #[test]
    fn other_names_are_refused() {
        for bad in [
            "",
            "x.whl",
            "a-1-py3-none-any.zip",
            "a-1-py3-none-any.whl.zip",
            "a-1-py3-none.whl",
            "a-1-x-py3-none-any.whl",
            "a-1-99999999999999999999-py3-none-any.whl",
            "a-1-1-1-py3-none-any.whl",
            "a-x-py3-none-any.whl",
            "-1-py3-none-any.whl",
            "../a-1-py3-none-any.whl",
            "a b-1-py3-none-any.whl",
            "a-1-py3-none-an\ny.whl",
            "a-1-py3-none-.whl",
            "a-1-py3..py2-none-any.whl",
        ] {
            assert!(WheelFilename::parse(bad).is_err(), "{bad:?}");
        }
    }
}
