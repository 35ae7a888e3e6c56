//! The nearest change that makes requirements fit together, found by trying.

use crate::name::Name;
use crate::resolve::asked::{Asked, text};
use crate::resolve::knowledge::Knowledge;
use crate::resolve::provider::Package;
use crate::resolve::{attempt, roots};
use std::collections::BTreeSet;

/// Most changes that are tried.
const MAX_ATTEMPTS: usize = 8;
/// Most steps of one attempt.
const MAX_STEPS: u64 = 5_000;

/// A change to one requirement, among those that take part in a conflict, after which everything fits; `None` when there is none,
/// or when looking for it takes too much.
pub(crate) fn nearest(knowledge: &Knowledge<'_>, asked: &Asked, involved: &BTreeSet<Name>) -> Option<String> {
    let wanted = |name: &Name| asked.direct(name).map(|(_, text)| text).unwrap_or_default();
    let mut names: Vec<Name> = roots(asked);
    names.extend(asked.constraints.keys().cloned());
    names.retain(|name| involved.contains(name));
    // Exact pins first: whoever wrote one most likely did not mean exactly that one.
    names.sort_by_key(|name| (!wanted(name).contains("=="), name.clone()));
    names.dedup();
    for name in names.iter().take(MAX_ATTEMPTS) {
        let is_open = wanted(name).is_empty() && !asked.constraints.contains_key(name);
        if is_open {
            continue;
        }
        if let Ok(Ok(solution)) = attempt(knowledge, &asked.without(name, false), MAX_STEPS) {
            let old = asked.requirements.iter().find(|requirement| requirement.name == *name);
            let old = old.map(text).filter(|old| !old.is_empty());
            let old = old.unwrap_or_else(|| {
                asked
                    .constraints
                    .get(name)
                    .map(|(_, text)| text.clone())
                    .unwrap_or_default()
            });
            return Some(match solution.get(&Package::Project(name.clone())) {
                Some(version) => format!("ask for `{name}=={version}` instead of `{name}{old}`: the rest then fits"),
                None => format!("drop `{name}{old}`: the rest then fits"),
            });
        }
    }
    let droppable = names.iter().filter(|name| roots(asked).contains(name));
    for name in droppable.take(MAX_ATTEMPTS) {
        let without = asked.without(name, true);
        if !without.requirements.is_empty() && matches!(attempt(knowledge, &without, MAX_STEPS), Ok(Ok(_))) {
            return Some(format!("leave `{name}` out: the rest then fits"));
        }
    }
    match &roots(asked)[..] {
        [only] => Some(format!("leave `{only}` out: what it needs cannot be had")),
        _ => None,
    }
}
