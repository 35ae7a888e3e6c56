//! One package is the reason: it is unknown, has no version that fits, or none that can be used here.

use crate::alternatives;
use crate::error::{Error, NoWheel};
use crate::name::{Name, nearest, popular};
use crate::resolve::asked::Asked;
use crate::resolve::knowledge::{Knowledge, Project};
use crate::resolve::roots;
use crate::specifiers::VersionSet;
use pep440_rs::Version;

/// Most versions that a message lists.
const MAX_LISTED: usize = 6;
/// Most unusable versions that are looked at for the reason of the whole.
const MAX_REASONS: usize = 200;

/// Fails for the first package that was asked for and cannot be had, whatever else is wanted.
pub(crate) fn check_direct(knowledge: &Knowledge<'_>, asked: &Asked) -> Result<(), Error> {
    let names = roots(asked);
    knowledge.source.expect(&names);
    for name in &names {
        if let Some((set, text)) = asked.direct(name)
            && knowledge
                .choose(name, asked, |version| set.contains(version))?
                .is_none()
        {
            return Err(miss(knowledge, asked, name, (&set, &text), None)?);
        }
    }
    Ok(())
}

/// Why no version of a set can be had.
pub(crate) fn miss(
    knowledge: &Knowledge<'_>,
    asked: &Asked,
    name: &Name,
    (set, wanted): (&VersionSet, &str),
    required_by: Option<String>,
) -> Result<Error, Error> {
    let project = knowledge.project(name)?;
    let (name_text, wanted) = (name.to_string(), wanted.to_owned());
    if project.is_excluded {
        return Ok(Error::Excluded {
            name: name_text,
            required_by,
        });
    }
    if !project.is_known() {
        return Ok(not_found(knowledge, name, required_by));
    }
    if let Some(version) = project.bundled() {
        return Ok(Error::NoVersion {
            name: name_text,
            available: version.to_string(),
            wanted,
            required_by,
        });
    }
    if let Some(reason) = reason(knowledge, asked, name, |version| set.contains(version))? {
        // For what somebody else needs, another version is no way out.
        let usable = match required_by {
            Some(_) => None,
            None => knowledge.choose(name, asked, |_| true)?,
        };
        return Ok(no_wheel(knowledge, name, (wanted, usable), required_by, reason));
    }
    Ok(match knowledge.choose(name, asked, |_| true)? {
        Some(newest) => Error::NoMatchingVersion {
            name: name_text,
            wanted,
            required_by,
            available: listed(&project),
            newest: newest.to_string(),
        },
        None => {
            let reason = reason(knowledge, asked, name, |_| true)?.unwrap_or(NoWheel::SourceOnly);
            no_wheel(knowledge, name, (String::new(), None), required_by, reason)
        }
    })
}

fn not_found(knowledge: &Knowledge<'_>, name: &Name, required_by: Option<String>) -> Error {
    let known = knowledge.source.known_names();
    let known = known.iter().map(Name::as_str);
    // What many people ask for is no help where it cannot be had.
    let (similar, bundled) = if knowledge.source.has_indexes() {
        (nearest(name, known.chain(popular())), None)
    } else {
        let bundled = knowledge.source.bundled().into_iter();
        let bundled = bundled.map(|(name, version)| format!("{name}=={version}")).collect();
        (nearest(name, known), Some(bundled))
    };
    Error::NotFound {
        name: name.to_string(),
        required_by,
        similar,
        bundled,
    }
}

fn no_wheel(
    knowledge: &Knowledge<'_>,
    name: &Name,
    (wanted, usable): (String, Option<Version>),
    required_by: Option<String>,
    reason: NoWheel,
) -> Error {
    let usable = usable.map(|version| format!("`{name}=={version}` can be used"));
    let instead = match reason {
        NoWheel::OtherPlatforms | NoWheel::Native(_) | NoWheel::SourceOnly => {
            let bundled = knowledge.source.bundled();
            let native = Some(alternatives::instead(name, &bundled)).filter(|text| !text.is_empty());
            usable.or(native)
        }
        NoWheel::OtherPython { .. } => usable,
        _ => None,
    };
    Error::NoWheel {
        name: name.to_string(),
        wanted,
        required_by,
        reason: Box::new(reason),
        instead,
    }
}

/// Why the versions of a set cannot be used: the nearest miss among the newest of them. `None` when there are none, or when one
/// can be used.
pub(crate) fn reason(
    knowledge: &Knowledge<'_>,
    asked: &Asked,
    name: &Name,
    is_member: impl Fn(&Version) -> bool,
) -> Result<Option<NoWheel>, Error> {
    let project = knowledge.project(name)?;
    let mut nearest = None;
    let versions = project
        .versions()
        .rev()
        .filter(|version| is_member(version))
        .take(MAX_REASONS);
    for version in versions {
        let reason = match knowledge.describe(name, version, asked)? {
            Ok(_) => return Ok(None),
            Err(reason) => reason,
        };
        // Of two equally near misses the newer version's says more.
        let is_nearer = |nearest: &NoWheel| reason.rank() > nearest.rank();
        if nearest.as_ref().is_none_or(is_nearer) {
            nearest = Some(reason);
        }
    }
    Ok(nearest)
}

/// The versions of a project, shortened.
pub(crate) fn listed(project: &Project) -> String {
    let versions: Vec<String> = project.versions().map(Version::to_string).collect();
    match &versions[..] {
        [] => "none".into(),
        [first, .., last] if versions.len() > MAX_LISTED => {
            format!("{} versions from {first} to {last}", versions.len())
        }
        few => few.join(", "),
    }
}
