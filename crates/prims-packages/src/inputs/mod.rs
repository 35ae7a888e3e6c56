//! Where requirements come from: lists, files, and the block at the top of a script.

mod file;
mod script;

use crate::error::Error;
use crate::name::Name;
use crate::requirement::Requirements;
use crate::target::Target;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Everything that decides which wheels are chosen, beside what there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// What is wanted.
    pub requirements: Requirements,
    /// Limits on the versions of packages, should they be needed.
    pub constraints: Requirements,
    /// Packages that must not be used.
    pub exclude: BTreeSet<Name>,
    /// The only packages that may be used; `None`: any.
    pub allow: Option<BTreeSet<Name>>,
    /// SHA-256 digests in lower-case hexadecimal, by package: its wheel must have one of them.
    pub hashes: BTreeMap<Name, BTreeSet<String>>,
    /// Whether every package must have a hash. It must also when one has.
    pub require_hashes: bool,
}

/// The requirements a script says it has, in a block `# /// script` (PEP 723). A script without one has none.
///
/// # Errors
/// [`Error::Script`] when there are several blocks, when it does not read, or when it is for another Python.
pub fn script_requirements(code: &str, target: &Target) -> Result<Vec<String>, Error> {
    script::dependencies(code, target)
}

impl Inputs {
    /// Inputs that are only a list of requirements.
    ///
    /// # Errors
    /// As [`Requirements::parse`].
    pub fn from_requirements(texts: &[&str]) -> Result<Inputs, Error> {
        Ok(Inputs {
            requirements: Requirements::parse(texts)?,
            ..Inputs::default()
        })
    }

    /// Adds what a requirements file says. It and files it names are read by the host, so its path must come from the operator.
    /// Comments, continued lines, `--hash`, `--require-hashes`, `-r` and `-c` are understood; files it names must lie below its folder.
    ///
    /// # Errors
    /// [`Error::RequirementsFile`].
    pub fn add_file(&mut self, path: &Path) -> Result<(), Error> {
        file::read(self, path, false)
    }

    /// Adds what a constraints file says, which has the same form.
    ///
    /// # Errors
    /// As [`Inputs::add_file`].
    pub fn add_constraints_file(&mut self, path: &Path) -> Result<(), Error> {
        file::read(self, path, true)
    }

    /// Adds what a script says it needs in a block `# /// script` (PEP 723). A script without one adds nothing.
    ///
    /// # Errors
    /// [`Error::Script`] when there are several blocks, when it does not read, or when it is for another Python;
    /// [`Error::Requirement`] when one of its requirements is refused.
    pub fn add_script(&mut self, code: &str, target: &Target) -> Result<(), Error> {
        let texts = script_requirements(code, target)?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        self.requirements.0.extend(Requirements::parse(&texts)?.0);
        Ok(())
    }
}
