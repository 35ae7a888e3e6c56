//! The packages of the solver, and what it asks about them.

use crate::error::{Error, NoWheel};
use crate::metadata::Metadata;
use crate::name::Name;
use crate::requirement::Requirement;
use crate::resolve::asked::{Asked, join, text};
use crate::resolve::knowledge::Knowledge;
use crate::specifiers::{VersionSet, versions};
use pep440_rs::Version;
use pubgrub::{Dependencies, DependencyProvider, PackageResolutionStatistics};
use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

/// Conflicts after which a package is decided early: it is probably in the way.
const MANY_CONFLICTS: u32 = 5;

/// What has a version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Package {
    /// What was asked for.
    Root,
    Project(Name),
    /// A project with one of its extras. Its versions are those of the project, and it needs the project in its own version.
    Extra(Name, Name),
}

impl Package {
    pub(crate) fn name(&self) -> Option<&Name> {
        match self {
            Package::Root => None,
            Package::Project(name) | Package::Extra(name, _) => Some(name),
        }
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Package::Root => f.write_str("the requirements"),
            Package::Project(name) => write!(f, "{name}"),
            Package::Extra(name, extra) => write!(f, "{name}[{extra}]"),
        }
    }
}

/// Which versions of a package something needs, and how it says so.
#[derive(Clone)]
pub(crate) struct Need {
    pub(crate) versions: VersionSet,
    pub(crate) text: String,
}

/// What something needs, in an order that does not depend on how it is written.
pub(crate) type Needs = BTreeMap<Package, Need>;

/// Answers the solver's questions for one attempt.
pub(crate) struct Provider<'k, 'a> {
    pub(crate) knowledge: &'k Knowledge<'a>,
    pub(crate) asked: &'k Asked,
    /// What was answered, for explanations.
    pub(crate) needs: RefCell<HashMap<(Package, Version), Needs>>,
    steps: Cell<u64>,
    max_steps: u64,
}

/// The order of decisions, the first to be made is the greatest. Packages with few choices come first, because what is decided is
/// kept when something else has to give way; what is equal is taken in the order it was found. Nothing here depends on time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Priority {
    Open(Reverse<bool>),
    Pinned,
    InTheWay(u32),
    Bundled,
    Root,
}

impl<'k, 'a> Provider<'k, 'a> {
    pub(crate) fn new(knowledge: &'k Knowledge<'a>, asked: &'k Asked, max_steps: u64) -> Provider<'k, 'a> {
        Provider {
            knowledge,
            asked,
            needs: RefCell::default(),
            steps: Cell::new(0),
            max_steps,
        }
    }

    fn needs(&self, package: &Package, version: &Version) -> Result<Result<Needs, NoWheel>, Error> {
        let Some(name) = package.name() else {
            return Ok(Ok(self.merged(self.asked.requirements.iter())));
        };
        let metadata = match self.knowledge.describe(name, version, self.asked)? {
            Ok(metadata) => metadata,
            Err(reason) => return Ok(Err(reason)),
        };
        let extra = match package {
            Package::Extra(_, extra) => Some(extra),
            _ => None,
        };
        if let Some(unusable) = metadata.unusable(self.knowledge.target, extra) {
            return Ok(Err(NoWheel::Metadata(unusable.describe())));
        }
        let mut needs = self.merged(applicable(&metadata, self.knowledge, extra));
        // A package may name itself, usually with another of its extras. It is there already, in one version.
        let own = Package::Project(name.clone());
        for (needed, need) in &needs {
            if needed.name() == Some(name) && !need.versions.contains(version) {
                let reason = format!("it needs itself in another version, `{name}{}`", need.text);
                return Ok(Err(NoWheel::Metadata(reason)));
            }
        }
        needs.remove(package);
        if extra.is_some() {
            let versions = VersionSet::singleton(version.clone());
            let text = format!("=={version}");
            needs.insert(own, Need { versions, text });
        } else {
            needs.remove(&own);
        }
        Ok(Ok(needs))
    }

    /// All that some requirements say about a package, in one.
    fn merged<'r>(&self, requirements: impl Iterator<Item = &'r Requirement>) -> Needs {
        let mut needs = Needs::new();
        let mut add = |package: Package, requirement: &Requirement| {
            let need = needs.entry(package).or_insert_with(|| Need {
                versions: VersionSet::full(),
                text: String::new(),
            });
            need.versions = need.versions.intersection(&versions(&requirement.versions));
            join(&mut need.text, &text(requirement));
        };
        for requirement in requirements {
            let name = &requirement.name;
            add(Package::Project(name.clone()), requirement);
            for extra in &requirement.extras {
                add(Package::Extra(name.clone(), extra.clone()), requirement);
            }
        }
        for (package, need) in &mut needs {
            if let Some(name) = package.name() {
                let own = (need.versions.clone(), std::mem::take(&mut need.text));
                (need.versions, need.text) = self.asked.constrained(name, own);
            }
        }
        needs
    }
}

/// The dependencies of a package that apply, with one extra or none.
pub(crate) fn applicable<'m>(
    metadata: &'m Metadata,
    knowledge: &'m Knowledge<'_>,
    extra: Option<&'m Name>,
) -> impl Iterator<Item = &'m Requirement> {
    let applies = move |requirement: &&Requirement| requirement.applies(knowledge.target, extra);
    metadata.requires.iter().filter(applies)
}

impl DependencyProvider for Provider<'_, '_> {
    type P = Package;
    type V = Version;
    type VS = VersionSet;
    type Priority = Priority;
    type M = NoWheel;
    type Err = Error;

    fn prioritize(&self, package: &Package, range: &VersionSet, statistics: &PackageResolutionStatistics) -> Priority {
        let Some(name) = package.name() else {
            return Priority::Root;
        };
        // Asking for the listing could fail here, and an error has no way out: what is not known yet is not bundled.
        if self
            .knowledge
            .known(name)
            .is_some_and(|project| project.bundled().is_some())
        {
            return Priority::Bundled;
        }
        let conflicts = statistics.conflict_count();
        if conflicts >= MANY_CONFLICTS {
            return Priority::InTheWay(conflicts);
        }
        if is_pin(range) {
            return Priority::Pinned;
        }
        Priority::Open(Reverse(*range == VersionSet::full()))
    }

    fn choose_version(&self, package: &Package, range: &VersionSet) -> Result<Option<Version>, Error> {
        match package.name() {
            None => Ok(Some(root_version())),
            Some(name) => self
                .knowledge
                .choose(name, self.asked, |version| range.contains(version)),
        }
    }

    fn get_dependencies(
        &self,
        package: &Package,
        version: &Version,
    ) -> Result<Dependencies<Package, VersionSet, NoWheel>, Error> {
        let needs = match self.needs(package, version)? {
            Ok(needs) => needs,
            Err(reason) => return Ok(Dependencies::Unavailable(reason)),
        };
        let names: Vec<Name> = needs.keys().filter_map(|package| package.name().cloned()).collect();
        self.knowledge.source.expect(&names);
        let available = needs
            .iter()
            .map(|(package, need)| (package.clone(), need.versions.clone()));
        let available = available.collect();
        self.needs
            .borrow_mut()
            .insert((package.clone(), version.clone()), needs);
        Ok(Dependencies::Available(available))
    }

    fn should_cancel(&self) -> Result<(), Error> {
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() > self.max_steps {
            return Err(Error::TooComplex {
                limit: self.max_steps,
                unit: "steps",
            });
        }
        self.knowledge.check_time()
    }
}

/// The one version of what was asked for.
pub(crate) fn root_version() -> Version {
    Version::new([0])
}

/// Whether a set has one version, not counting local ones.
fn is_pin(set: &VersionSet) -> bool {
    use std::ops::Bound;
    match set.bounding_range() {
        Some((Bound::Included(from), Bound::Included(to))) => from == to,
        Some((Bound::Included(from), Bound::Excluded(to))) => {
            from.epoch() == to.epoch() && from.release() == to.release() && from.is_stable()
        }
        _ => false,
    }
}
