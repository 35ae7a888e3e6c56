//! Version specifiers (PEP 440) as sets of versions, and the ones that are written wrongly but are clear enough.

use pep440_rs::{Operator, Version, VersionSpecifier, VersionSpecifiers};
use pubgrub::Ranges;
use std::str::FromStr;

/// A set of versions.
pub(crate) type VersionSet = Ranges<Version>;

/// The versions that satisfy all specifiers. Pre-releases are members by their order; whether one may be chosen is decided
/// elsewhere. As PEP 440 wants it, a specifier without a local version takes versions with any.
pub(crate) fn versions(specifiers: &VersionSpecifiers) -> VersionSet {
    let sets = specifiers.iter().map(versions_of);
    sets.fold(VersionSet::full(), |all, one| all.intersection(&one))
}

fn versions_of(specifier: &VersionSpecifier) -> VersionSet {
    let version = specifier.version().clone();
    match specifier.operator() {
        Operator::Equal => exactly(version),
        // Equal as texts, in the standard; here versions are what is compared.
        Operator::ExactEqual => VersionSet::singleton(version),
        Operator::NotEqual => exactly(version).complement(),
        Operator::EqualStar => family(&version, version.release()),
        Operator::NotEqualStar => family(&version, version.release()).complement(),
        Operator::TildeEqual => {
            let prefix = version.release();
            let prefix = &prefix[..prefix.len().saturating_sub(1)];
            family(&version, prefix).intersection(&VersionSet::higher_than(version.clone()))
        }
        Operator::LessThanEqual => below_successor(version),
        Operator::GreaterThanEqual => VersionSet::higher_than(version),
        // Neither may take a pre-release, or a post-release, of the version it excludes.
        Operator::LessThan if version.any_prerelease() => VersionSet::strictly_lower_than(version),
        Operator::LessThan => {
            let base = Version::new(version.release()).with_epoch(version.epoch());
            let below = VersionSet::strictly_lower_than(base.clone().with_dev(Some(0)));
            let from_base = VersionSet::higher_than(base);
            below.union(&from_base.intersection(&VersionSet::strictly_lower_than(version.with_dev(Some(0)))))
        }
        Operator::GreaterThan if version.is_dev() || version.is_post() => below_successor(version).complement(),
        Operator::GreaterThan => VersionSet::strictly_higher_than(version.with_max(Some(0))),
    }
}

/// One version, whatever its local version, unless one is named.
fn exactly(version: Version) -> VersionSet {
    if version.is_local() {
        return VersionSet::singleton(version);
    }
    VersionSet::higher_than(version.clone()).intersection(&below_successor(version))
}

/// Everything up to a version, with all of its local versions.
fn below_successor(version: Version) -> VersionSet {
    match successor(&version) {
        Some(successor) => VersionSet::strictly_lower_than(successor),
        None => VersionSet::lower_than(version),
    }
}

/// The first version after a version and all of its local versions.
fn successor(version: &Version) -> Option<Version> {
    let version = version.clone().without_local();
    Some(match (version.dev(), version.post()) {
        (Some(dev), _) => version.with_dev(Some(dev.checked_add(1)?)),
        (None, Some(post)) => version.with_post(Some(post.checked_add(1)?)).with_dev(Some(0)),
        (None, None) => version.with_post(Some(0)).with_dev(Some(0)),
    })
}

/// All versions whose release starts with a prefix, pre-releases included.
fn family(version: &Version, prefix: &[u64]) -> VersionSet {
    let first = |release: &[u64]| Version::new(release).with_epoch(version.epoch()).with_dev(Some(0));
    let from = VersionSet::higher_than(first(prefix));
    // The next prefix of the same length; where a number is the greatest there is, the one before it counts on.
    let mut next = prefix.to_vec();
    while let Some(last) = next.pop() {
        if let Some(more) = last.checked_add(1) {
            next.push(more);
            return from.intersection(&VersionSet::strictly_lower_than(first(&next)));
        }
    }
    from
}

/// Reads specifiers as old packages write them. What installers always understood and the standard never allowed is corrected:
///
/// | written | meant |
/// |---|---|
/// | `>=1.0.*`, `<2.*` | `>=1.0`, `<2` |
/// | `>=3.6,` | `>=3.6` |
/// | `>=3.7<4` | `>=3.7,<4` |
/// | `!=3.0*` | `!=3.0.*` |
/// | `!=~3.0` | `!=3.0` |
/// | `>='2.7'` | `>=2.7` |
pub(crate) fn parse_leniently(text: &str) -> Option<VersionSpecifiers> {
    if let Ok(specifiers) = VersionSpecifiers::from_str(text) {
        return Some(specifiers);
    }
    let unquoted = text.replace(['\'', '"'], "");
    let mut corrected = vec![];
    for part in split(&unquoted) {
        let end = part
            .find(|character| !OPERATOR.contains(character))
            .unwrap_or(part.len());
        let (operator, version) = part.split_at(end);
        let operator = if operator == "!=~" { "!=" } else { operator };
        let version = version.trim();
        let version = match (operator, version.strip_suffix('*')) {
            (">=" | "<=" | ">" | "<", Some(prefix)) => prefix.trim_end_matches('.').to_owned(),
            ("==" | "!=", Some(prefix)) if !prefix.ends_with('.') => format!("{prefix}.*"),
            _ => version.to_owned(),
        };
        corrected.push(format!("{operator}{version}"));
    }
    VersionSpecifiers::from_str(&corrected.join(",")).ok()
}

const OPERATOR: &str = "<>=!~";

/// The specifiers of a list, also where the comma between two of them is missing or there is one too many.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut after_version) = (vec![], 0, false);
    for (at, character) in text.char_indices() {
        let is_operator = OPERATOR.contains(character);
        if character == ',' || (is_operator && after_version) {
            parts.push(&text[start..at]);
            start = at + usize::from(character == ',');
            after_version = false;
        }
        after_version |= character.is_ascii_alphanumeric() || character == '*';
    }
    parts.push(&text[start..]);
    parts
        .into_iter()
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every specifier with the versions it takes, out of all that are in the table; written by the reference implementation
    /// of PEP 440, with pre-releases allowed.
    const TABLE: &str = include_str!("../tests/specifiers.txt");

    #[test]
    fn sets_have_the_members_that_the_standard_says() {
        let mut lines = TABLE.lines().filter(|line| !line.starts_with('#'));
        let all: Vec<Version> = lines
            .next()
            .unwrap()
            .split(' ')
            .map(|text| text.parse().unwrap())
            .collect();
        let mut checked = 0;
        for line in lines {
            let (specifiers, members) = line.split_once('|').unwrap();
            let set = versions(&specifiers.trim().parse().unwrap());
            let found: Vec<String> = all
                .iter()
                .filter(|version| set.contains(version))
                .map(Version::to_string)
                .collect();
            assert_eq!(found.join(" "), members.trim(), "{specifiers}");
            checked += 1;
        }
        assert!(checked > 60, "{checked}");
    }

    #[test]
    fn numbers_at_the_end_of_their_range_end_nothing() {
        for text in [
            "==18446744073709551615.*",
            "~=1.18446744073709551615.0",
            "==1.post18446744073709551615",
        ] {
            if let Ok(specifiers) = VersionSpecifiers::from_str(text) {
                assert!(!versions(&specifiers).is_empty(), "{text}");
            }
        }
    }

    #[test]
    fn well_known_mistakes_are_understood() {
        for (written, meant) in [
            (">=1.0.*", ">=1.0"),
            ("<2.*,>=1", "<2,>=1"),
            (">=3.6,", ">=3.6"),
            (">=3.7<4", ">=3.7,<4"),
            (">=3.5,!=3.0*", ">=3.5,!=3.0.*"),
            ("!=~3.0", "!=3.0"),
            (">='2.7'", ">=2.7"),
            (">=2.7,!=3.0.*,!=3.1.*,", ">=2.7,!=3.0.*,!=3.1.*"),
            (">= 3.6 , < 4", ">=3.6,<4"),
        ] {
            let meant = VersionSpecifiers::from_str(meant).unwrap();
            assert_eq!(parse_leniently(written), Some(meant), "{written}");
        }
        for bad in ["yes", ">=", "=2", ">=1 2", "*", ">=*", "1.0", "=>1"] {
            assert_eq!(parse_leniently(bad), None, "{bad}");
        }
    }
}
