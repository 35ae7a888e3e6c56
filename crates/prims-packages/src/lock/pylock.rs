//! `pylock.toml` (PEP 751).

use crate::catalog::{Lock, LockedWheel, Place};
use crate::error::LockProblem;
use crate::filename::WheelFilename;
use crate::index::digest_of;
use crate::marker::Marker;
use crate::name::Name;
use crate::target::{BuiltFor, Target};
use pep440_rs::{Version, VersionSpecifiers};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::str::FromStr;
use url::Url;

/// Longest file, in bytes.
const MAX_BYTES: usize = 8 << 20;
/// Most packages of a lock.
const MAX_PACKAGES: usize = 1_000;
/// Most wheels and dependencies of a package.
const MAX_ENTRIES: usize = 4_096;
/// The name under which the program keeps its own table, as the format allows.
const TOOL: &str = "prims-wasm";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    lock_version: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    environments: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requires_python: Option<String>,
    #[serde(default)]
    created_by: String,
    #[serde(default)]
    packages: Vec<Package>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tool: BTreeMap<String, toml::Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Package {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requires_python: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dependencies: Vec<Dependency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<String>,
    #[serde(skip_serializing)]
    vcs: Option<toml::Value>,
    #[serde(skip_serializing)]
    directory: Option<toml::Value>,
    #[serde(skip_serializing)]
    archive: Option<toml::Value>,
    #[serde(skip_serializing)]
    sdist: Option<toml::Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    wheels: Vec<Wheel>,
}

/// Tables of a dependency have more keys; its name is enough to draw a tree.
#[derive(Serialize, Deserialize)]
struct Dependency {
    name: String,
}

#[derive(Serialize, Deserialize)]
struct Wheel {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    hashes: BTreeMap<String, String>,
}

/// The program's own table.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Tool {
    roots: Vec<String>,
    bundled: Vec<String>,
}

pub(super) fn write(lock: &Lock, target: &Target) -> Result<String, LockProblem> {
    let mut sorted: Vec<&LockedWheel> = lock.wheels.iter().collect();
    sorted.sort_by_key(|wheel| &wheel.name);
    let bundled = sorted.iter().filter(|wheel| wheel.place == Place::Bundled);
    let tool = Tool {
        roots: lock.roots.iter().map(Name::to_string).collect(),
        bundled: bundled.map(|wheel| wheel.filename.clone()).collect(),
    };
    let file = File {
        lock_version: "1.0".into(),
        environments: vec![target.environment()],
        requires_python: Some(format!("=={}.*", target.version())),
        created_by: TOOL.into(),
        packages: sorted.into_iter().map(package).collect::<Result<_, _>>()?,
        tool: BTreeMap::from([(TOOL.to_owned(), toml::Value::try_from(tool).map_err(unreadable)?)]),
    };
    toml::to_string(&file).map_err(unreadable)
}

fn package(wheel: &LockedWheel) -> Result<Package, LockProblem> {
    if wheel.sha256.is_empty() {
        return Err(wrong(&wheel.name, "its wheel has no hash"));
    }
    let (url, path) = match &wheel.place {
        Place::Bundled => (None, None),
        Place::File(path) => (None, Some(path.to_string_lossy().into_owned())),
        Place::Url(url) => (Some(url.to_string()), None),
    };
    Ok(Package {
        name: wheel.name.to_string(),
        version: Some(wheel.version.to_string()),
        marker: None,
        requires_python: wheel.requires_python.as_ref().map(VersionSpecifiers::to_string),
        dependencies: wheel
            .dependencies
            .iter()
            .map(|name| Dependency { name: name.to_string() })
            .collect(),
        index: Some(wheel.index.clone()).filter(|index| Url::parse(index).is_ok()),
        vcs: None,
        directory: None,
        archive: None,
        sdist: None,
        wheels: vec![Wheel {
            name: Some(wheel.filename.clone()),
            url,
            path,
            size: wheel.size,
            hashes: BTreeMap::from([("sha256".to_owned(), wheel.sha256.clone())]),
        }],
    })
}

pub(super) fn read(text: &str, target: &Target, folder: Option<&Path>) -> Result<Lock, LockProblem> {
    if text.len() > MAX_BYTES {
        return Err(LockProblem::TooLong {
            found: text.len(),
            limit: MAX_BYTES,
        });
    }
    let file: File = toml::from_str(text).map_err(|error| LockProblem::Toml(error.message().to_owned()))?;
    check_file(&file, target)?;
    let tool = file.tool.get(TOOL).cloned().map(toml::Value::try_into).transpose();
    let tool: Tool = tool.map_err(unreadable)?.unwrap_or_default();
    let mut wheels: BTreeMap<Name, LockedWheel> = BTreeMap::new();
    for package in &file.packages {
        let name = name(&package.name)?;
        if !applies(package, &name, target)? {
            continue;
        }
        let wheel = locked(package, &name, &tool, (target, folder))?;
        if wheels.insert(name.clone(), wheel).is_some() {
            return Err(LockProblem::Twice(name.to_string()));
        }
    }
    let known: BTreeSet<Name> = wheels.keys().cloned().collect();
    for wheel in wheels.values_mut() {
        wheel.dependencies.retain(|name| known.contains(name));
    }
    let roots = roots(&tool, &wheels)?;
    let wheels = wheels.into_values().collect();
    Ok(Lock { wheels, roots })
}

fn check_file(file: &File, target: &Target) -> Result<(), LockProblem> {
    if !file.lock_version.starts_with("1.") {
        return Err(LockProblem::Version(file.lock_version.chars().take(40).collect()));
    }
    let too_many = |found: usize, limit: usize, unit: &'static str| match found > limit {
        true => Err(LockProblem::TooMany { found, limit, unit }),
        false => Ok(()),
    };
    too_many(file.packages.len(), MAX_PACKAGES, "packages")?;
    for package in &file.packages {
        too_many(package.wheels.len(), MAX_ENTRIES, "wheels of a package")?;
        too_many(package.dependencies.len(), MAX_ENTRIES, "dependencies of a package")?;
    }
    let other = |found: String| LockProblem::Target {
        found,
        target: target.describe(),
    };
    if let Some(wanted) = &file.requires_python {
        let specifiers = VersionSpecifiers::from_str(wanted)
            .map_err(|_| LockProblem::Toml(format!("`requires-python` is `{}`", wanted.escape_debug())))?;
        if !specifiers.contains(&target.pep440()) {
            return Err(other(format!("Python {specifiers}")));
        }
    }
    let mut fits = file.environments.is_empty();
    for environment in &file.environments {
        fits |= Marker::parse(environment)
            .map_err(LockProblem::Toml)?
            .holds(target, None);
    }
    if fits {
        Ok(())
    } else {
        Err(other(file.environments.join(" or ")))
    }
}

fn applies(package: &Package, name: &Name, target: &Target) -> Result<bool, LockProblem> {
    let Some(text) = &package.marker else { return Ok(true) };
    let marker = Marker::parse(text).map_err(|reason| wrong(name, &reason))?;
    Ok(marker.holds(target, None))
}

/// The best wheel of a package.
fn locked(
    package: &Package,
    name: &Name,
    tool: &Tool,
    (target, folder): (&Target, Option<&Path>),
) -> Result<LockedWheel, LockProblem> {
    if package.wheels.is_empty() {
        let kinds = [
            (&package.vcs, "a repository"),
            (&package.directory, "a folder"),
            (&package.archive, "an archive"),
            (&package.sdist, "a source archive"),
        ];
        let kind = kinds
            .iter()
            .find(|(value, _)| value.is_some())
            .map_or("nothing", |(_, kind)| kind);
        return Err(LockProblem::NotAWheel {
            name: name.to_string(),
            kind,
        });
    }
    let wanted = package
        .requires_python
        .as_deref()
        .map(|text| VersionSpecifiers::from_str(text).map_err(|_| wrong(name, "its `requires-python` does not read")));
    let requires_python = wanted.transpose()?;
    if let Some(wanted) = requires_python
        .as_ref()
        .filter(|wanted| !wanted.contains(&target.pep440()))
    {
        return Err(wrong(name, &format!("it needs Python {wanted}")));
    }
    let mut best: Option<(WheelFilename, &Wheel)> = None;
    for wheel in &package.wheels {
        let filename = filename(wheel, name, package.version.as_deref())?;
        let is_better = |known: &WheelFilename| rank(&filename, target) > rank(known, target);
        if filename.fit(target).is_some() && best.as_ref().is_none_or(|(known, _)| is_better(known)) {
            best = Some((filename, wheel));
        }
    }
    let (filename, wheel) = best.ok_or_else(|| LockProblem::NoWheel(name.to_string()))?;
    let digest = wheel.hashes.get("sha256").and_then(|digits| digest_of(digits));
    let mut dependencies: Vec<Name> = package
        .dependencies
        .iter()
        .map(|one| self::name(&one.name))
        .collect::<Result<_, _>>()?;
    dependencies.sort();
    dependencies.dedup();
    Ok(LockedWheel {
        name: name.clone(),
        version: filename.version.clone(),
        place: place(wheel, &filename, tool, folder).map_err(|what| wrong(name, &what))?,
        filename: filename.as_str().to_owned(),
        index: package.index.clone().unwrap_or_default(),
        sha256: digest.ok_or_else(|| wrong(name, "its wheel has no `sha256`"))?,
        size: wheel.size,
        requires_python,
        dependencies,
    })
}

/// How good a wheel is. Nobody looks into wheels here, so one that was built for something else than the guest comes last.
fn rank<'f>(filename: &'f WheelFilename, target: &Target) -> impl Ord + use<'f> {
    let fit = filename.fit(target);
    let is_foreign = fit.is_some_and(|fit| fit.built_for == BuiltFor::Pyodide);
    (!is_foreign, fit, filename.build.as_ref())
}

/// A wheel's file name, which is the last part of its place if it is not written beside it, checked against the package.
fn filename(wheel: &Wheel, name: &Name, version: Option<&str>) -> Result<WheelFilename, LockProblem> {
    let from_place = || {
        let place = wheel
            .url
            .as_deref()
            .map(|url| url.split(['?', '#']).next().unwrap_or_default());
        let place = place.or(wheel.path.as_deref())?;
        let last = place.rsplit(['/', '\\']).next()?;
        Some(last.replace("%2B", "+").replace("%2b", "+"))
    };
    let text = wheel.name.clone().or_else(from_place).unwrap_or_default();
    let filename = WheelFilename::parse(&text)
        .map_err(|problem| wrong(name, &format!("wheel `{}` {problem}", text.escape_debug())))?;
    let same_version = match version.map(Version::from_str) {
        None => true,
        Some(Ok(version)) => version == filename.version,
        Some(Err(_)) => false,
    };
    if filename.name == *name && same_version {
        return Ok(filename);
    }
    let version = version.unwrap_or_default();
    Err(wrong(
        name,
        &format!("wheel `{text}` is not of `{name}=={}`", version.escape_debug()),
    ))
}

fn place(wheel: &Wheel, filename: &WheelFilename, tool: &Tool, folder: Option<&Path>) -> Result<Place, String> {
    match (&wheel.url, &wheel.path, folder) {
        (Some(url), ..) => {
            let url = Url::parse(url).map_err(|_| "its URL does not read")?;
            match url.scheme() {
                "https" | "http" => Ok(Place::Url(url)),
                scheme => Err(format!("its URL starts with `{scheme}`, expected `https` or `http`")),
            }
        }
        (None, Some(path), Some(folder)) => Ok(Place::File(folder.join(path))),
        (None, Some(_), None) => Err("its wheel is a local file, expected a URL".into()),
        (None, None, _) if tool.bundled.iter().any(|bundled| bundled == filename.as_str()) => Ok(Place::Bundled),
        (None, None, _) => Err("its wheel has neither `url` nor `path`".into()),
    }
}

/// What was asked for, or else what nothing else needs.
fn roots(tool: &Tool, wheels: &BTreeMap<Name, LockedWheel>) -> Result<Vec<Name>, LockProblem> {
    if !tool.roots.is_empty() {
        let roots = tool
            .roots
            .iter()
            .map(|text| name(text))
            .collect::<Result<BTreeSet<_>, _>>()?;
        return Ok(roots.into_iter().filter(|root| wheels.contains_key(root)).collect());
    }
    let needed: BTreeSet<&Name> = wheels.values().flat_map(|wheel| &wheel.dependencies).collect();
    Ok(wheels.keys().filter(|name| !needed.contains(name)).cloned().collect())
}

fn name(text: &str) -> Result<Name, LockProblem> {
    let bad = || {
        LockProblem::Toml(format!(
            "`{}` is not a package name",
            text.chars().take(80).collect::<String>().escape_debug()
        ))
    };
    Name::parse(text).ok_or_else(bad)
}

fn wrong(name: &Name, what: &str) -> LockProblem {
    LockProblem::Package {
        name: name.to_string(),
        what: what.to_owned(),
    }
}

fn unreadable(error: impl std::fmt::Display) -> LockProblem {
    LockProblem::Toml(error.to_string())
}
