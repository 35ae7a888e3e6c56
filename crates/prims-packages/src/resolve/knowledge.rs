//! What is known of projects so far: their versions, which wheel of a version would be used, and why none would.

use crate::catalog::{Listing, Offer, Place, Source};
use crate::error::{Error, NoWheel};
use crate::metadata::Metadata;
use crate::name::Name;
use crate::resolve::asked::Asked;
use crate::target::{BuiltFor, Fit, Target};
use pep440_rs::Version;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest that choosing may take.
const MAX_TIME: Duration = Duration::from_secs(30);
/// Longest that looking for a way out of a conflict may take.
const HINT_TIME: Duration = Duration::from_secs(5);
/// Most wheels whose `METADATA` is read. Large honest requirements need some hundred.
const MAX_READS: u64 = 2_000;
/// Most wheels of one project that are fetched only to see whether their native code runs here.
const MAX_NATIVE_CHECKS: usize = 8;

/// Everything that was read from a source, and the bounds of reading it.
pub(crate) struct Knowledge<'a> {
    pub(crate) target: &'a Target,
    pub(crate) source: &'a dyn Source,
    rules: Rules<'a>,
    projects: RefCell<HashMap<Name, Rc<Project>>>,
    metadata: RefCell<HashMap<(Name, Version), Description>>,
    /// Verdicts on native wheels, by their place in the listing.
    natives: RefCell<HashMap<(Name, usize), Option<NoWheel>>>,
    reads: Cell<u64>,
    deadline: Cell<Instant>,
}

/// What the operator allows, whoever asks.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub(crate) exclude: &'a BTreeSet<Name>,
    pub(crate) allow: Option<&'a BTreeSet<Name>>,
    /// Hashes wheels must have, by package.
    pub(crate) hashes: &'a BTreeMap<Name, BTreeSet<String>>,
}

/// `METADATA` of a version, or why it cannot be used.
pub(crate) type Description = Result<Arc<Metadata>, NoWheel>;

/// A project as far as its listing tells.
pub(crate) struct Project {
    listing: Option<Arc<Listing>>,
    candidates: BTreeMap<Version, Candidate>,
    /// All versions in the order in which they are tried: bundled ones, then from the newest.
    order: Vec<Version>,
    bundled: Option<Version>,
    /// Whether there is a version that is no pre-release, usable or not.
    has_stable: bool,
    pub(crate) is_excluded: bool,
}

/// A version of a project.
struct Candidate {
    /// Wheels that fit, the best first, as places in the listing.
    wheels: Vec<usize>,
    /// Those among the fitting that were withdrawn, and the reason given.
    yanked: Vec<(usize, String)>,
    /// Why there is no wheel, if there is none. The nearest miss is the greatest.
    reason: NoWheel,
}

impl<'a> Knowledge<'a> {
    pub(crate) fn new(target: &'a Target, source: &'a dyn Source, rules: Rules<'a>) -> Knowledge<'a> {
        Knowledge {
            target,
            source,
            rules,
            projects: RefCell::default(),
            metadata: RefCell::default(),
            natives: RefCell::default(),
            reads: Cell::new(0),
            deadline: Cell::new(Instant::now() + MAX_TIME),
        }
    }

    /// Allows only a little more time: what follows is a courtesy.
    pub(crate) fn hurry(&self) {
        self.deadline.set(self.deadline.get().min(Instant::now() + HINT_TIME));
    }

    /// As if all time had passed.
    #[cfg(test)]
    pub(crate) fn end_now(&self) {
        self.deadline.set(Instant::now());
    }

    pub(crate) fn check_time(&self) -> Result<(), Error> {
        if Instant::now() < self.deadline.get() {
            return Ok(());
        }
        Err(Error::TooComplex {
            limit: MAX_TIME.as_secs(),
            unit: "seconds",
        })
    }

    pub(crate) fn project(&self, name: &Name) -> Result<Rc<Project>, Error> {
        if let Some(known) = self.projects.borrow().get(name) {
            return Ok(known.clone());
        }
        self.check_time()?;
        let is_excluded =
            self.rules.exclude.contains(name) || self.rules.allow.is_some_and(|allowed| !allowed.contains(name));
        let listing = if is_excluded { None } else { self.source.listing(name)? };
        let project = Rc::new(Project::new(
            listing,
            is_excluded,
            self.target,
            self.rules.hashes.get(name),
        ));
        self.projects.borrow_mut().insert(name.clone(), project.clone());
        Ok(project)
    }

    /// A project that was looked at before.
    pub(crate) fn known(&self, name: &Name) -> Option<Rc<Project>> {
        self.projects.borrow().get(name).cloned()
    }

    /// The wheel of a version that would be used; `Err` inside says why none would.
    pub(crate) fn wheel(&self, name: &Name, version: &Version, asked: &Asked) -> Result<Result<Offer, NoWheel>, Error> {
        let project = self.project(name)?;
        let (Some(listing), Some(candidate)) = (&project.listing, project.candidates.get(version)) else {
            return Ok(Err(NoWheel::SourceOnly));
        };
        let is_bundled = project.bundled.as_ref() == Some(version);
        let takes_prereleases = !project.has_stable || is_bundled || asked.takes_prereleases(name);
        if version.any_prerelease() && !takes_prereleases {
            return Ok(Err(candidate.reason_or(NoWheel::PreRelease)));
        }
        let pinned = asked.pins(name, version);
        let yanked = candidate.yanked.iter().filter(|_| pinned).map(|(index, _)| *index);
        let mut reason = None;
        for index in candidate.wheels.iter().copied().chain(yanked) {
            match self.runs(name, index, &listing.wheels[index])? {
                None => return Ok(Ok(listing.wheels[index].clone())),
                Some(native) => reason = Some(native),
            }
        }
        Ok(Err(reason.unwrap_or_else(|| match candidate.yanked.first() {
            Some((_, why)) => NoWheel::Yanked(why.clone()),
            None => candidate.reason.clone(),
        })))
    }

    /// The version that is chosen from a set, if there is one.
    pub(crate) fn choose(
        &self,
        name: &Name,
        asked: &Asked,
        is_member: impl Fn(&Version) -> bool,
    ) -> Result<Option<Version>, Error> {
        let project = self.project(name)?;
        for version in project.order.iter().filter(|version| is_member(version)) {
            if self.wheel(name, version, asked)?.is_ok() {
                return Ok(Some(version.clone()));
            }
        }
        Ok(None)
    }

    /// Why a wheel with native code does not run here, if it does not.
    fn runs(&self, name: &Name, index: usize, offer: &Offer) -> Result<Option<NoWheel>, Error> {
        if offer.filename.fit(self.target).map(|fit| fit.built_for) != Some(BuiltFor::Pyodide) {
            return Ok(None);
        }
        let key = (name.clone(), index);
        if let Some(known) = self.natives.borrow().get(&key) {
            return Ok(known.clone());
        }
        let checked = self.natives.borrow().keys().filter(|(of, _)| of == name).count();
        let verdict = if checked < MAX_NATIVE_CHECKS {
            self.check_time()?;
            self.source.native_fits(offer)?.err().map(NoWheel::Native)
        } else {
            Some(NoWheel::Native(format!("{MAX_NATIVE_CHECKS} newer wheels do not")))
        };
        self.natives.borrow_mut().insert(key, verdict.clone());
        Ok(verdict)
    }

    /// What a version says of itself. A wheel that is broken is one that cannot be used; only an index that fails is an error.
    pub(crate) fn describe(&self, name: &Name, version: &Version, asked: &Asked) -> Result<Description, Error> {
        let key = (name.clone(), version.clone());
        if let Some(known) = self.metadata.borrow().get(&key) {
            return Ok(known.clone());
        }
        let offer = match self.wheel(name, version, asked)? {
            Ok(offer) => offer,
            Err(reason) => return Ok(Err(reason)),
        };
        self.check_time()?;
        self.reads.set(self.reads.get() + 1);
        if self.reads.get() > MAX_READS {
            return Err(Error::TooComplex {
                limit: MAX_READS,
                unit: "reads of METADATA",
            });
        }
        let found = match self.source.metadata(&offer) {
            Ok(metadata) => self.check(metadata),
            Err(Error::BadWheel { problem, .. }) => Err(NoWheel::Metadata(format!("its wheel {problem}"))),
            Err(error) => return Err(error),
        };
        self.metadata.borrow_mut().insert(key, found.clone());
        Ok(found)
    }

    fn check(&self, metadata: Arc<Metadata>) -> Description {
        match &metadata.requires_python {
            Some(wanted) if !wanted.contains(&self.target.pep440()) => Err(NoWheel::OtherPython {
                wanted: wanted.to_string(),
                python: self.target.full_version(),
            }),
            _ => match metadata.unusable(self.target, None) {
                Some(unusable) => Err(NoWheel::Metadata(unusable.describe())),
                None => Ok(metadata),
            },
        }
    }
}

impl Project {
    fn new(
        listing: Option<Arc<Listing>>,
        is_excluded: bool,
        target: &Target,
        hashes: Option<&BTreeSet<String>>,
    ) -> Project {
        let mut candidates: BTreeMap<Version, Candidate> = BTreeMap::new();
        let mut bundled = None;
        if let Some(listing) = &listing {
            for version in &listing.other {
                candidates.entry(version.clone()).or_insert_with(Candidate::new);
            }
            for (index, offer) in listing.wheels.iter().enumerate() {
                let version = &offer.filename.version;
                let candidate = candidates.entry(version.clone()).or_insert_with(Candidate::new);
                if candidate.add(index, offer, target, hashes) && offer.place == Place::Bundled {
                    bundled = bundled.max(Some(version.clone()));
                }
            }
            for candidate in candidates.values_mut() {
                candidate.sort(listing, target);
            }
        }
        let newest_first = candidates
            .keys()
            .rev()
            .filter(|version| bundled.as_ref() != Some(*version));
        Project {
            order: bundled.iter().chain(newest_first).cloned().collect(),
            has_stable: candidates.keys().any(Version::is_stable),
            listing,
            candidates,
            bundled,
            is_excluded,
        }
    }

    pub(crate) fn is_known(&self) -> bool {
        self.listing.is_some()
    }

    pub(crate) fn index(&self) -> &str {
        self.listing.as_ref().map_or("", |listing| &listing.index)
    }

    /// The version that is built in, of a project that is.
    pub(crate) fn bundled(&self) -> Option<&Version> {
        self.bundled.as_ref()
    }

    /// All versions, the oldest first.
    pub(crate) fn versions(&self) -> impl DoubleEndedIterator<Item = &Version> {
        self.candidates.keys()
    }
}

impl Candidate {
    fn new() -> Candidate {
        Candidate {
            wheels: vec![],
            yanked: vec![],
            reason: NoWheel::SourceOnly,
        }
    }

    fn reason_or(&self, other: NoWheel) -> NoWheel {
        if self.wheels.is_empty() && self.yanked.is_empty() {
            self.reason.clone()
        } else {
            other
        }
    }

    /// Takes a wheel if it fits, else remembers why it does not.
    fn add(&mut self, index: usize, offer: &Offer, target: &Target, hashes: Option<&BTreeSet<String>>) -> bool {
        let python = target.full_version();
        let wanted = offer.requires_python.as_ref();
        let reason = if offer.filename.fit(target).is_none() {
            if offer.filename.is_pure() {
                let wanted = offer.filename.tags();
                NoWheel::OtherPython { wanted, python }
            } else {
                NoWheel::OtherPlatforms
            }
        } else if let Some(wanted) = wanted.filter(|wanted| !wanted.contains(&target.pep440())) {
            let wanted = wanted.to_string();
            NoWheel::OtherPython { wanted, python }
        } else if hashes.is_some_and(|hashes| offer.sha256.as_ref().is_none_or(|found| !hashes.contains(found))) {
            NoWheel::Hash
        } else {
            match &offer.yanked {
                Some(why) => self.yanked.push((index, why.clone())),
                None => self.wheels.push(index),
            }
            return true;
        };
        if reason.rank() > self.reason.rank() {
            self.reason = reason;
        }
        false
    }

    /// The best first: by tags, by build number, then as the index lists them. One that is bundled costs nothing.
    fn sort(&mut self, listing: &Listing, target: &Target) {
        type Rank<'a> = (bool, Option<Fit>, Option<&'a (u64, String)>);
        let rank = |index: usize| -> Rank<'_> {
            let offer = &listing.wheels[index];
            let filename = &offer.filename;
            (
                offer.place == Place::Bundled,
                filename.fit(target),
                filename.build.as_ref(),
            )
        };
        self.wheels.sort_by(|one, other| rank(*other).cmp(&rank(*one)));
        self.yanked
            .sort_by(|(one, _), (other, _)| rank(*other).cmp(&rank(*one)));
    }
}
