//! What was asked for, in the form the solver needs it.

use crate::name::Name;
use crate::requirement::{Requirement, Requirements};
use crate::specifiers::{VersionSet, versions};
use crate::target::Target;
use pep440_rs::{Operator, Version};
use std::collections::{BTreeMap, BTreeSet};

/// Requirements that apply to the target, and what follows from them for versions that are taken only on demand.
#[derive(Clone, Default)]
pub(crate) struct Asked {
    /// Sorted, so that their order makes no difference.
    pub(crate) requirements: Vec<Requirement>,
    /// Limits on packages, should they be needed, with their text.
    pub(crate) constraints: BTreeMap<Name, (VersionSet, String)>,
    prereleases: BTreeSet<Name>,
    pins: BTreeSet<(Name, Version)>,
}

impl Asked {
    pub(crate) fn new(requirements: &Requirements, constraints: &Requirements, target: &Target) -> Asked {
        let key = |one: &Requirement| (one.name.clone(), one.extras.clone(), text(one));
        let applying = requirements.iter().filter(|one| one.applies(target, None));
        let mut asked = Asked {
            requirements: applying.cloned().collect(),
            ..Asked::default()
        };
        asked.requirements.sort_by_cached_key(key);
        asked.requirements.dedup_by_key(|one| key(one));
        for requirement in &asked.requirements {
            notice(requirement, &mut asked.prereleases, &mut asked.pins);
        }
        let mut limits: Vec<&Requirement> = constraints.iter().filter(|one| one.applies(target, None)).collect();
        limits.sort_by_cached_key(|one| (one.name.clone(), text(one)));
        for limit in limits {
            notice(limit, &mut asked.prereleases, &mut asked.pins);
            let known = asked.constraints.entry(limit.name.clone());
            let (set, words) = known.or_insert_with(|| (VersionSet::full(), String::new()));
            *set = set.intersection(&versions(&limit.versions));
            join(words, &text(limit));
        }
        asked
    }

    /// The same without what is said about versions of one package, or without the package.
    pub(crate) fn without(&self, name: &Name, is_dropped: bool) -> Asked {
        let mut asked = self.clone();
        asked.constraints.remove(name);
        if is_dropped {
            asked.requirements.retain(|requirement| requirement.name != *name);
        }
        for requirement in asked
            .requirements
            .iter_mut()
            .filter(|requirement| requirement.name == *name)
        {
            requirement.versions = std::iter::empty().collect();
        }
        asked
    }

    /// Whether a pre-release of a package may be chosen: a specifier names one.
    pub(crate) fn takes_prereleases(&self, name: &Name) -> bool {
        self.prereleases.contains(name)
    }

    /// Whether exactly this version was asked for.
    pub(crate) fn pins(&self, name: &Name, version: &Version) -> bool {
        self.pins.contains(&(name.clone(), version.clone()))
    }

    /// The versions of a package that were asked for, as a set and as text; `None` when it was not asked for.
    pub(crate) fn direct(&self, name: &Name) -> Option<(VersionSet, String)> {
        let mut of_name = self
            .requirements
            .iter()
            .filter(|requirement| requirement.name == *name)
            .peekable();
        of_name.peek()?;
        let mut found = (VersionSet::full(), String::new());
        for requirement in of_name {
            found.0 = found.0.intersection(&versions(&requirement.versions));
            join(&mut found.1, &text(requirement));
        }
        Some(self.constrained(name, found))
    }

    /// A set and its text with the constraints of a package.
    pub(crate) fn constrained(&self, name: &Name, (set, mut words): (VersionSet, String)) -> (VersionSet, String) {
        match self.constraints.get(name) {
            Some((limit, limit_words)) => {
                join(&mut words, limit_words);
                (set.intersection(limit), words)
            }
            None => (set, words),
        }
    }
}

fn notice(requirement: &Requirement, prereleases: &mut BTreeSet<Name>, pins: &mut BTreeSet<(Name, Version)>) {
    for specifier in requirement.versions.iter() {
        if specifier.any_prerelease() {
            prereleases.insert(requirement.name.clone());
        }
        if matches!(specifier.operator(), Operator::Equal | Operator::ExactEqual) {
            pins.insert((requirement.name.clone(), specifier.version().clone()));
        }
    }
}

/// The versions of a requirement as they are written.
pub(crate) fn text(requirement: &Requirement) -> String {
    requirement.versions.to_string().replace(", ", ",")
}

/// Adds specifiers to a list of them, each once.
pub(crate) fn join(words: &mut String, more: &str) {
    for one in more.split(',') {
        if one.is_empty() || words.split(',').any(|known| known == one) {
            continue;
        }
        if !words.is_empty() {
            words.push(',');
        }
        words.push_str(one);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_twice() {
        let mut words = String::new();
        for more in [">=1,<2", ">=1,<2", "", "<2,!=1.5", ">=1"] {
            join(&mut words, more);
        }
        assert_eq!(words, ">=1,<2,!=1.5");
    }
}
