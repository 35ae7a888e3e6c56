//! Which wheels there are, and which of them satisfy what was asked for.

use crate::error::{Error, WheelProblem};
use crate::filename::WheelFilename;
use crate::metadata::Metadata;
use crate::name::Name;
use crate::requirement::{Requirement, Requirements};
use crate::target::Target;
use crate::wheel::Wheel;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;
use std::sync::{Arc, OnceLock};

/// A wheel that comes with the program.
#[derive(Clone, Debug)]
pub struct BundledWheel {
    /// Its file name.
    pub filename: Cow<'static, str>,
    /// Its bytes.
    pub bytes: Cow<'static, [u8]>,
    /// Its SHA-256 in lower-case hexadecimal, if known. The bytes are compared with it before they are used; knowing it beforehand
    /// saves computing it only to name the environment.
    pub sha256: Option<Cow<'static, str>>,
}

impl From<(&'static str, &'static [u8])> for BundledWheel {
    fn from((filename, bytes): (&'static str, &'static [u8])) -> BundledWheel {
        BundledWheel {
            filename: filename.into(),
            bytes: bytes.into(),
            sha256: None,
        }
    }
}

/// The packages that come with the program: one version of each.
#[derive(Clone, Debug)]
pub struct BundledIndex {
    target: Target,
    wheels: BTreeMap<Name, ResolvedWheel>,
}

/// The wheels that satisfy some requirements, by name.
#[derive(Clone, Debug, Default)]
pub struct Resolved {
    pub(crate) wheels: Vec<ResolvedWheel>,
}

/// One wheel of a [`Resolved`]. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ResolvedWheel(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: WheelFilename,
    wheel: BundledWheel,
    sha256: OnceLock<String>,
    metadata: OnceLock<Metadata>,
}

impl BundledIndex {
    /// An index of these wheels for the default [`Target`].
    ///
    /// # Errors
    /// [`Error::BadWheel`] when a file name does not read, is for another target, or a package is there twice.
    pub fn new(wheels: &[BundledWheel]) -> Result<BundledIndex, Error> {
        BundledIndex::for_target(Target::default(), wheels)
    }

    /// The same for another target.
    ///
    /// # Errors
    /// As [`BundledIndex::new`].
    pub fn for_target(target: Target, wheels: &[BundledWheel]) -> Result<BundledIndex, Error> {
        let mut index = BundledIndex {
            target,
            wheels: BTreeMap::new(),
        };
        for wheel in wheels {
            let bad = |problem| Error::BadWheel {
                filename: wheel.filename.to_string(),
                problem,
            };
            let name = WheelFilename::parse(&wheel.filename).map_err(bad)?;
            name.check(&index.target).map_err(bad)?;
            let package = name.name.clone();
            let wheel = Inner {
                name,
                wheel: wheel.clone(),
                sha256: OnceLock::new(),
                metadata: OnceLock::new(),
            };
            if let Some(twice) = index.wheels.insert(package, ResolvedWheel(Arc::new(wheel))) {
                let problem = WheelProblem::Filename("there is another wheel of this package");
                return Err(Error::BadWheel {
                    filename: twice.filename().to_owned(),
                    problem,
                });
            }
        }
        Ok(index)
    }

    /// The wheel of a package.
    pub(crate) fn get(&self, name: &Name) -> Option<&ResolvedWheel> {
        self.wheels.get(name)
    }

    /// All wheels, by name.
    pub(crate) fn all(&self) -> impl Iterator<Item = &ResolvedWheel> {
        self.wheels.values()
    }

    /// What the packages are chosen for.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// The packages there are, as name and version.
    pub fn packages(&self) -> Vec<(String, String)> {
        self.wheels
            .values()
            .map(|wheel| (wheel.name().to_string(), wheel.version()))
            .collect()
    }

    /// The wheels that satisfy the requirements and what those need in turn, without a choice between versions: there is one of each.
    /// `None` when these are not enough; [`resolve`](crate::resolve()), which sees all there is, says why if nothing else is either.
    ///
    /// # Errors
    /// [`Error::BadWheel`] and [`Error::DigestMismatch`] when a wheel is damaged.
    pub fn resolve(&self, requirements: &Requirements) -> Result<Option<Resolved>, Error> {
        let mut chosen = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let asked = requirements
            .iter()
            .filter(|requirement| requirement.applies(&self.target, None));
        let mut open: VecDeque<Cow<Requirement>> = asked.map(Cow::Borrowed).collect();
        while let Some(requirement) = open.pop_front() {
            let Some(wheel) = self.wheels.get(&requirement.name) else {
                return Ok(None);
            };
            let metadata = wheel.metadata()?;
            let python = metadata.requires_python.as_ref();
            let fits = python.is_none_or(|wanted| wanted.contains(&self.target.pep440()));
            if !fits || !requirement.accepts(&wheel.parsed().version) {
                return Ok(None);
            }
            chosen.insert(wheel.name().clone(), wheel.clone());
            let extras = requirement.extras.iter().cloned().map(Some);
            for extra in extras.chain([None]) {
                if extra.as_ref().is_some_and(|extra| !metadata.extras.contains(extra)) {
                    return Ok(None);
                }
                if !seen.insert((wheel.name().clone(), extra.clone())) {
                    continue;
                }
                if metadata.unusable(&self.target, extra.as_ref()).is_some() {
                    return Ok(None);
                }
                let needed = metadata.requires.iter();
                let needed = needed.filter(|dependency| dependency.applies(&self.target, extra.as_ref()));
                open.extend(needed.cloned().map(Cow::Owned));
            }
        }
        Ok(Some(Resolved {
            wheels: chosen.into_values().collect(),
        }))
    }
}

impl Resolved {
    /// The wheels, sorted by name.
    pub fn wheels(&self) -> &[ResolvedWheel] {
        &self.wheels
    }
}

impl ResolvedWheel {
    /// The package.
    pub fn name(&self) -> &Name {
        &self.0.name.name
    }

    /// Its version.
    pub fn version(&self) -> String {
        self.0.name.version()
    }

    /// The wheel's file name.
    pub fn filename(&self) -> &str {
        &self.0.wheel.filename
    }

    /// The SHA-256 the wheel has, or should have, in lower-case hexadecimal.
    pub fn sha256(&self) -> &str {
        match &self.0.wheel.sha256 {
            Some(known) => known,
            None => self.0.sha256.get_or_init(|| sha256(&self.0.wheel.bytes)),
        }
    }

    /// Its file name, read.
    pub(crate) fn parsed(&self) -> &WheelFilename {
        &self.0.name
    }

    /// The wheel's bytes, after they were compared with its digest.
    pub(crate) fn bytes(&self) -> Result<&[u8], Error> {
        let Inner { wheel, .. } = &*self.0;
        if let Some(expected) = &wheel.sha256 {
            let found = self.0.sha256.get_or_init(|| sha256(&wheel.bytes));
            if found != expected {
                let (found, expected) = (found.clone(), expected.to_string());
                return Err(Error::DigestMismatch {
                    filename: self.filename().to_owned(),
                    found,
                    expected,
                });
            }
        }
        Ok(&wheel.bytes)
    }

    /// The wheel's inside, after its bytes were compared with its digest.
    pub(crate) fn open(&self) -> Result<Wheel<'_>, Error> {
        Wheel::open(&self.0.name, self.bytes()?).map_err(|problem| self.bad(problem))
    }

    pub(crate) fn bad(&self, problem: WheelProblem) -> Error {
        Error::BadWheel {
            filename: self.filename().to_owned(),
            problem,
        }
    }

    /// What the wheel says about itself.
    fn metadata(&self) -> Result<&Metadata, Error> {
        if let Some(metadata) = self.0.metadata.get() {
            return Ok(metadata);
        }
        let metadata = self
            .open()?
            .metadata(&self.0.name)
            .map_err(|problem| self.bad(problem))?;
        Ok(self.0.metadata.get_or_init(|| metadata))
    }
}

/// The SHA-256 of bytes in lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The digits of a SHA-256 in lower case, if a text is one in hexadecimal.
pub(crate) fn digest_of(text: &str) -> Option<String> {
    let is_digest = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest.then(|| text.to_ascii_lowercase())
}
