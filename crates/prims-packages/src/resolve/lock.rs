//! From a solution to a lock.

use crate::catalog::{Lock, LockedWheel, Place};
use crate::error::{Error, NoWheel};
use crate::name::Name;
use crate::resolve::asked::{Asked, text};
use crate::resolve::knowledge::Knowledge;
use crate::resolve::provider::{Package, applicable};
use crate::resolve::{Solution, roots};
use std::collections::BTreeSet;

pub(crate) fn lock(knowledge: &Knowledge<'_>, asked: &Asked, solution: &Solution) -> Result<Lock, Error> {
    check_extras(knowledge, asked, solution)?;
    let mut wheels = vec![];
    for (package, version) in solution {
        let Package::Project(name) = package else { continue };
        // The solver looked at both; they are remembered.
        let (Ok(offer), Ok(metadata)) = (
            knowledge.wheel(name, version, asked)?,
            knowledge.describe(name, version, asked)?,
        ) else {
            continue;
        };
        let extras = solution.keys().filter_map(|other| match other {
            Package::Extra(of, extra) if of == name => Some(extra),
            _ => None,
        });
        let mut dependencies = BTreeSet::new();
        for extra in extras.map(Some).chain([None]) {
            let needed = applicable(&metadata, knowledge, extra).map(|requirement| requirement.name.clone());
            dependencies.extend(needed.filter(|needed| needed != name));
        }
        wheels.push(LockedWheel {
            name: name.clone(),
            version: offer.filename.version.clone(),
            filename: offer.filename.as_str().to_owned(),
            // The listing of a bundled wheel may be that of an index which has other versions.
            index: match offer.place {
                Place::Bundled => String::new(),
                _ => knowledge.project(name)?.index().to_owned(),
            },
            place: offer.place,
            sha256: offer.sha256.unwrap_or_default(),
            size: offer.size,
            requires_python: metadata.requires_python.clone().or(offer.requires_python),
            dependencies: dependencies.into_iter().collect(),
        });
    }
    wheels.sort_by(|one, other| one.name.cmp(&other.name));
    let roots = roots(asked);
    Ok(Lock { wheels, roots })
}

/// An extra that was asked for by name has to exist. Where a package asks for one that another has no longer, it is ignored, as
/// installers do.
fn check_extras(knowledge: &Knowledge<'_>, asked: &Asked, solution: &Solution) -> Result<(), Error> {
    for requirement in &asked.requirements {
        let Some(version) = solution.get(&Package::Project(requirement.name.clone())) else {
            continue;
        };
        let Ok(metadata) = knowledge.describe(&requirement.name, version, asked)? else {
            continue;
        };
        if let Some(extra) = requirement.extras.iter().find(|extra| !metadata.extras.contains(extra)) {
            if let Some(reason) = newer_with(knowledge, asked, &requirement.name, extra)? {
                return Err(Error::NoWheel {
                    name: format!("{}[{extra}]", requirement.name),
                    wanted: text(requirement),
                    required_by: None,
                    reason: Box::new(reason),
                    instead: None,
                });
            }
            return Err(Error::UnknownExtra {
                name: requirement.name.to_string(),
                extra: extra.to_string(),
                available: metadata.extras.iter().map(Name::to_string).collect(),
            });
        }
    }
    Ok(())
}

/// Why the version that would be chosen without the extra cannot be used with it, if that is what happened: it has the extra, and an
/// older version was taken that does not.
fn newer_with(knowledge: &Knowledge<'_>, asked: &Asked, name: &Name, extra: &Name) -> Result<Option<NoWheel>, Error> {
    let Some((set, _)) = asked.direct(name) else {
        return Ok(None);
    };
    let Some(newest) = knowledge.choose(name, asked, |version| set.contains(version))? else {
        return Ok(None);
    };
    let Ok(metadata) = knowledge.describe(name, &newest, asked)? else {
        return Ok(None);
    };
    let unusable = metadata.unusable(knowledge.target, Some(extra));
    Ok(unusable.map(|unusable| NoWheel::Metadata(unusable.describe())))
}
