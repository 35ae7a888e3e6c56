//! From the solver's proof to an argument.
//!
//! The proof is a tree that derives a contradiction step by step. Its leaves are the facts: who needs what, and which versions cannot
//! be used. Readers act on facts, so the argument is the facts, in the order in which one leads to the next, one for each pair of
//! packages however many versions there are.

use crate::error::{Error, NoWheel, missing};
use crate::name::Name;
use crate::resolve::asked::Asked;
use crate::resolve::knowledge::Knowledge;
use crate::resolve::provider::Package;
use crate::resolve::{Proof, Unsolved, fix, miss};
use crate::specifiers::VersionSet;
use pep440_rs::Version;
use pubgrub::{DerivationTree, External};
use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

/// Longest argument, in bytes. A tool's result has to hold it beside everything else.
const MAX_BYTES: usize = 1_200;
/// Most packages of a path.
const MAX_PATH: usize = 6;
/// What a clause is followed by at the end.
const END: &str = ", the requirements cannot all be met";

/// What versions of one package need of another.
struct Edge {
    from: VersionSet,
    to: VersionSet,
}

/// The facts a proof stands on.
#[derive(Default)]
struct Facts {
    edges: BTreeMap<(Package, Package), Edge>,
    unusable: BTreeMap<Package, Vec<(VersionSet, NoWheel)>>,
}

/// Turns a proof into the error that says why there is no solution.
pub(crate) fn explain(knowledge: &Knowledge<'_>, asked: &Asked, unsolved: &Unsolved) -> Error {
    let facts = collect(&unsolved.proof);
    let explainer = Explainer {
        knowledge,
        asked,
        unsolved,
        facts,
    };
    explainer.error().unwrap_or_else(|error| error)
}

/// The leaves of a proof. It is a graph in which much is shared, so each part is visited once.
fn collect(proof: &Proof) -> Facts {
    let mut facts = Facts::default();
    let (mut open, mut seen) = (vec![proof], HashSet::new());
    while let Some(node) = open.pop() {
        match node {
            DerivationTree::Derived(derived) => {
                for cause in [&derived.cause1, &derived.cause2] {
                    if seen.insert(Arc::as_ptr(cause)) {
                        open.push(cause);
                    }
                }
            }
            DerivationTree::External(External::FromDependencyOf(from, from_set, to, to_set)) => {
                let edge = facts.edges.entry((from.clone(), to.clone())).or_insert_with(|| Edge {
                    from: VersionSet::empty(),
                    to: VersionSet::empty(),
                });
                edge.from = edge.from.union(from_set);
                edge.to = edge.to.union(to_set);
            }
            DerivationTree::External(External::Custom(package, set, reason)) => {
                let known = facts.unusable.entry(package.clone()).or_default();
                known.push((set.clone(), reason.clone()));
            }
            // What there is no version of follows from what is needed and what there is.
            DerivationTree::External(External::NoVersions(..) | External::NotRoot(..)) => {}
        }
    }
    facts
}

struct Explainer<'e, 'k> {
    knowledge: &'e Knowledge<'k>,
    asked: &'e Asked,
    unsolved: &'e Unsolved,
    facts: Facts,
}

impl Explainer<'_, '_> {
    fn error(&self) -> Result<Error, Error> {
        if let Some(error) = self.single()? {
            return Ok(error);
        }
        let mut involved: BTreeSet<Name> = BTreeSet::new();
        for (from, to) in self.facts.edges.keys() {
            involved.extend([from, to].into_iter().filter_map(|package| package.name().cloned()));
        }
        let argument = argue(&self.clauses()?);
        self.knowledge.hurry();
        let mut fix = fix::nearest(self.knowledge, self.asked, &involved);
        let bundled = involved.iter().find_map(|name| {
            let project = self.knowledge.known(name)?;
            Some(format!(
                "`{name}` is built in here, in version {} only",
                project.bundled()?
            ))
        });
        if let Some(bundled) = bundled {
            fix = Some(fix.map_or(bundled.clone(), |fix| format!("{fix} ({bundled})")));
        }
        Ok(Error::Conflict { argument, fix })
    }

    /// One package is the reason, when it cannot be had in any version and nothing else is missing, or when everything leads to it on
    /// one path.
    fn single(&self) -> Result<Option<Error>, Error> {
        let mut dead = vec![];
        let (mut reached, mut is_one_path) = (BTreeSet::new(), true);
        for ((from, to), edge) in &self.facts.edges {
            let Some(name) = to.name().filter(|name| from.name() != Some(name)) else {
                continue;
            };
            is_one_path &= reached.insert(name) || *from == Package::Root;
            if self.choose(name, &edge.to)?.is_none() {
                dead.push((from, to, name, edge));
            }
        }
        if dead.is_empty() && is_one_path && self.facts.unusable.len() == 1 {
            return self.single_unusable();
        }
        let Some((from, to, name, edge)) = dead.first() else {
            return Ok(None);
        };
        let is_only = dead.iter().all(|(.., other, _)| other == name) && self.facts.unusable.is_empty();
        let is_hopeless = || -> Result<bool, Error> { Ok(self.choose(name, &VersionSet::full())?.is_none()) };
        if !is_only || !(is_one_path || is_hopeless()?) {
            return Ok(None);
        }
        let required_by = self.path(from);
        let wanted = if is_one_path {
            self.text(from, to, edge)?
        } else {
            String::new()
        };
        let versions = if is_one_path {
            edge.to.clone()
        } else {
            VersionSet::full()
        };
        miss::miss(self.knowledge, self.asked, name, (&versions, &wanted), required_by).map(Some)
    }

    /// How a package is reached from what was asked for, the shortest way, as `a → b`; `None` for what was asked for itself.
    fn path(&self, package: &Package) -> Option<String> {
        let mut before: BTreeMap<&Package, &Package> = BTreeMap::new();
        let mut open = VecDeque::from([&Package::Root]);
        while let Some(from) = open.pop_front() {
            for (_, to) in self.facts.edges.keys().filter(|(of, _)| of == from) {
                if *to != Package::Root && !before.contains_key(to) {
                    before.insert(to, from);
                    open.push_back(to);
                }
            }
        }
        let mut names = vec![package.name()?.to_string()];
        let mut at = package;
        while let Some(earlier) = before.get(at).and_then(|earlier| earlier.name()) {
            at = before[at];
            names.push(earlier.to_string());
        }
        names.dedup();
        names.reverse();
        // A long way is described by its ends.
        if names.len() > MAX_PATH {
            names.splice(MAX_PATH / 2..names.len() - MAX_PATH / 2, ["…".to_owned()]);
        }
        Some(names.join(" → "))
    }

    fn choose(&self, name: &Name, set: &VersionSet) -> Result<Option<Version>, Error> {
        self.knowledge.choose(name, self.asked, |version| set.contains(version))
    }

    /// A package that can be found but not used, and nothing else.
    fn single_unusable(&self) -> Result<Option<Error>, Error> {
        let Some((package, unusable)) = self.facts.unusable.first_key_value() else {
            return Ok(None);
        };
        let needed_by: Vec<(&(Package, Package), &Edge)> = self
            .facts
            .edges
            .iter()
            .filter(|((_, to), _)| to.name() == package.name())
            .collect();
        let ([((from, to), edge)], Some(name)) = (&needed_by[..], package.name()) else {
            return Ok(None);
        };
        let all = miss::reason(self.knowledge, self.asked, name, |version| edge.to.contains(version))?;
        let own = || nearest(unusable).cloned();
        let Some(reason) = all.or_else(own) else {
            return Ok(None);
        };
        Ok(Some(Error::NoWheel {
            name: to.to_string(),
            wanted: self.text(from, to, edge)?,
            required_by: self.path(from),
            reason: Box::new(reason),
            instead: None,
        }))
    }

    /// The facts as clauses, from what was asked for outward.
    fn clauses(&self) -> Result<Vec<String>, Error> {
        let mut clauses = vec![];
        let asked: Vec<String> = self
            .asked
            .requirements
            .iter()
            .filter(|one| {
                self.facts
                    .edges
                    .keys()
                    .any(|(from, to)| *from == Package::Root && to.name() == Some(&one.name))
            })
            .map(|one| {
                let extras: Vec<String> = one.extras.iter().map(Name::to_string).collect();
                let extras = if extras.is_empty() {
                    String::new()
                } else {
                    format!("[{}]", extras.join(","))
                };
                format!(
                    "`{}{extras}{}`",
                    one.name,
                    self.asked
                        .constrained(&one.name, (VersionSet::full(), super::asked::text(one)))
                        .1
                )
            })
            .collect();
        if !asked.is_empty() {
            clauses.push(format!("you ask for {}", listing(&asked)));
        }
        let (mut open, mut seen) = (VecDeque::from([Package::Root]), BTreeSet::from([Package::Root]));
        while let Some(from) = open.pop_front() {
            for ((_, to), edge) in self.facts.edges.iter().filter(|((of, _), _)| *of == from) {
                if from != Package::Root && from.name() != to.name() {
                    clauses.push(self.clause(&from, to, edge)?);
                }
                if seen.insert(to.clone()) {
                    if let Some(unusable) = self.facts.unusable.get(to) {
                        clauses.push(self.unusable(to, unusable)?);
                    }
                    open.push_back(to.clone());
                }
            }
        }
        clauses.extend(self.between()?);
        Ok(clauses)
    }

    /// Somebody needs something; and if it cannot be had at all, why.
    fn clause(&self, from: &Package, to: &Package, edge: &Edge) -> Result<String, Error> {
        let mut clause = format!(
            "{} needs `{to}{}`",
            self.describe(from, &edge.from)?,
            self.text(from, to, edge)?
        );
        let Some(name) = to.name() else { return Ok(clause) };
        if self.choose(name, &edge.to)?.is_some() {
            return Ok(clause);
        }
        let project = self.knowledge.project(name)?;
        let why = if project.is_excluded {
            "is excluded by the configuration".to_owned()
        } else if !project.is_known() {
            missing(!self.knowledge.source.has_indexes()).to_owned()
        } else {
            match miss::reason(self.knowledge, self.asked, name, |version| edge.to.contains(version))? {
                Some(reason) => reason.to_string(),
                None => format!(
                    "does not exist in such a version (there are {})",
                    miss::listed(&project)
                ),
            }
        };
        clause.push_str(&format!(", which {why}"));
        Ok(clause)
    }

    fn unusable(&self, package: &Package, versions: &[(VersionSet, NoWheel)]) -> Result<String, Error> {
        let all = versions
            .iter()
            .fold(VersionSet::empty(), |all, (set, _)| all.union(set));
        let reason = nearest(versions).map(NoWheel::to_string).unwrap_or_default();
        Ok(format!("{} {reason}", self.describe(package, &all)?))
    }

    /// Versions that all who need a package would take, and that cannot be used.
    fn between(&self) -> Result<Vec<String>, Error> {
        let mut common: BTreeMap<&Name, (usize, VersionSet)> = BTreeMap::new();
        for ((_, to), edge) in &self.facts.edges {
            if let Some(name) = to.name() {
                let (count, set) = common.entry(name).or_insert_with(|| (0, VersionSet::full()));
                (*count, *set) = (*count + 1, set.intersection(&edge.to));
            }
        }
        let mut clauses = vec![];
        for (name, (count, set)) in common {
            if count < 2 || self.choose(name, &set)?.is_some() {
                continue;
            }
            if let Some(reason) = miss::reason(self.knowledge, self.asked, name, |version| set.contains(version))? {
                clauses.push(format!(
                    "{} {reason}",
                    self.describe(&Package::Project(name.clone()), &set)?
                ));
            }
        }
        Ok(clauses)
    }

    /// How the versions that are needed are written. Where versions of the package differ in that, what all of them lie in.
    fn text(&self, from: &Package, to: &Package, edge: &Edge) -> Result<String, Error> {
        let mut texts = BTreeSet::new();
        for ((package, version), needs) in &self.unsolved.needs {
            if package == from && edge.from.contains(version) {
                texts.extend(needs.get(to).map(|need| need.text.clone()));
            }
        }
        if let (1, Some(text)) = (texts.len(), texts.first()) {
            return Ok(text.clone());
        }
        let Some(name) = to.name() else {
            return Ok(String::new());
        };
        let project = self.knowledge.project(name)?;
        Ok(range(&edge.to, &project.versions().collect::<Vec<_>>()).unwrap_or_default())
    }

    /// Versions of a package, in words.
    fn describe(&self, package: &Package, set: &VersionSet) -> Result<String, Error> {
        let Some(name) = package.name() else {
            return Ok(package.to_string());
        };
        let project = self.knowledge.project(name)?;
        let versions: Vec<&Version> = project.versions().collect();
        Ok(match range(set, &versions) {
            None => format!("every version of `{package}`"),
            Some(range) => format!("`{package}{range}`"),
        })
    }
}

/// The nearest miss among versions that cannot be used.
fn nearest(versions: &[(VersionSet, NoWheel)]) -> Option<&NoWheel> {
    versions
        .iter()
        .map(|(_, reason)| reason)
        .max_by_key(|reason| reason.rank())
}

/// A set as a specifier, as short as the versions that exist allow; `None` when it has them all. A set with gaps is described by its
/// ends.
fn range(set: &VersionSet, versions: &[&Version]) -> Option<String> {
    let members: Vec<usize> = (0..versions.len())
        .filter(|index| set.contains(versions[*index]))
        .collect();
    let (Some(first), Some(last)) = (members.first(), members.last()) else {
        return Some(String::new());
    };
    let (oldest, newest) = (versions[*first], versions[*last]);
    match (*first == 0, last + 1 == versions.len()) {
        (true, true) if versions.len() > 1 && members.len() == versions.len() => None,
        _ if first == last => Some(format!("=={oldest}")),
        (true, true) => None,
        (true, false) => Some(format!("<={newest}")),
        (false, true) => Some(format!(">={oldest}")),
        (false, false) => Some(format!(">={oldest},<={newest}")),
    }
}

/// One sentence that fits. What does not fit is counted.
fn argue(clauses: &[String]) -> String {
    let mut kept = vec![];
    let mut bytes = "because ".len() + END.len() + " and 1000 more facts like these".len();
    for clause in clauses {
        bytes += clause.len() + ", and ".len();
        if bytes > MAX_BYTES {
            break;
        }
        kept.push(clause.clone());
    }
    let left = clauses.len() - kept.len();
    if left > 0 {
        kept.push(format!("{left} more facts like these"));
    }
    match kept.len() {
        0 => END.trim_start_matches(", ").to_owned(),
        // Clauses contain lists of their own.
        1 => format!("because {}{END}", kept[0]),
        count => format!("because {}, and {}{END}", kept[..count - 1].join(", "), kept[count - 1]),
    }
}

/// `a`, `a and b`, `a, b, and c`.
fn listing(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [one, other] => format!("{one} and {other}"),
        [front @ .., last] => format!("{}, and {last}", front.join(", ")),
    }
}
