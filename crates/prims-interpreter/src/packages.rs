//! From what is wanted to an environment: what is bundled without asking anybody, everything else through the indexes.

use crate::Error;
use prims_cache::Cache;
use prims_packages::{
    BundledIndex, Environment, IndexSettings, Indexes, Inputs, Lock, Name, Progress, Requirements, Resolved, Target,
    imported_names, install, requirement_for, resolve, script_requirements,
};
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Names of the standard library's modules, one a line, as `sys.stdlib_module_names` has them in the guest's Python.
const STANDARD_LIBRARY: &str = include_str!("standard_library.txt");

/// Makes the sink for the events of one preparation. It is called on the thread that prepares; the sink is called from any.
pub type ProgressFactory = Arc<dyn Fn() -> Progress + Send + Sync>;

/// What an operator allows, and what every resolution begins with.
#[derive(Clone)]
pub struct PackageOptions {
    /// Where packages come from.
    pub indexes: Indexes,
    /// Constraints, packages that are forbidden or the only ones allowed, hashes, and requirements that every run has besides its own.
    pub policy: Inputs,
    /// Install what code imports and no requirement names.
    pub auto_deps: bool,
    /// Who sees what happens meanwhile.
    pub progress: Option<ProgressFactory>,
}

/// What a run wants to import.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// Requirements as in `pip install`.
    pub requirements: &'a [String],
    /// A lock, which is then installed as it is; requirements that come with it are refused.
    pub lock: Option<Arc<Lock>>,
    /// The code: its block of script metadata (PEP 723) counts as requirements, and with `auto_deps` so do its imports.
    pub code: &'a str,
    /// Where modules of the code's own may lie.
    pub workspace: Option<&'a Path>,
}

/// Finds packages and installs them.
pub(crate) struct Packages {
    cache: Cache,
    bundled: BundledIndex,
    options: PackageOptions,
    target: Target,
    standard_library: BTreeSet<&'static str>,
}

/// Wanted packages in a form that is equal when the environment will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Requirements, those of the code included.
    requirements: Vec<String>,
    /// Imports that no requirement names. Which of them are provided by a package is only known after installing.
    imports: Vec<String>,
    lock: Option<Arc<Lock>>,
}

impl Asked {
    /// These and nothing else.
    pub(crate) fn requirements(requirements: &[String]) -> Asked {
        Asked {
            requirements: requirements.to_vec(),
            imports: vec![],
            lock: None,
        }
    }
}

impl Packages {
    pub(crate) fn new(cache: Cache, bundled: BundledIndex, options: Option<PackageOptions>) -> Result<Packages, Error> {
        let options = match options {
            Some(options) => options,
            None => PackageOptions {
                indexes: Indexes::new(IndexSettings::bundled_only(), bundled.clone(), cache.clone())?,
                policy: Inputs::default(),
                auto_deps: false,
                progress: None,
            },
        };
        Ok(Packages {
            cache,
            bundled,
            options,
            target: Target::default(),
            standard_library: STANDARD_LIBRARY.lines().collect(),
        })
    }

    /// What is asked for in all, read from the code too.
    pub(crate) fn asked(&self, wanted: &Wanted) -> Result<Asked, Error> {
        let mut requirements = wanted.requirements.to_vec();
        requirements.extend(script_requirements(wanted.code, &self.target)?);
        let imports = match (self.options.auto_deps, &wanted.lock) {
            (true, None) => self.imports(wanted),
            _ => vec![],
        };
        Ok(Asked {
            requirements,
            imports,
            lock: wanted.lock.clone(),
        })
    }

    fn imports(&self, wanted: &Wanted) -> Vec<String> {
        let is_own = |name: &str| {
            wanted
                .workspace
                .is_some_and(|folder| folder.join(name).is_dir() || folder.join(format!("{name}.py")).is_file())
        };
        let names = imported_names(wanted.code);
        let foreign = names
            .into_iter()
            .filter(|name| !self.standard_library.contains(name.as_str()) && !is_own(name));
        foreign.collect()
    }

    /// Where packages come from.
    pub(crate) fn indexes(&self) -> &Indexes {
        &self.options.indexes
    }

    /// The environment for what is asked for, and what is to be said about it.
    pub(crate) fn environment(&self, asked: &Asked) -> Result<(Environment, Vec<String>), Error> {
        let session = OnceCell::new();
        let indexes = || session.get_or_init(|| self.session());
        if let Some(lock) = &asked.lock {
            return Ok((indexes().install(lock)?, vec![]));
        }
        let mut notes = vec![];
        let without = self.resolved(&asked.requirements, &indexes)?;
        let provided = |module: &String| without.top_level.contains(module);
        let missing = asked.imports.iter().filter(|module| !provided(module));
        let mut names: BTreeSet<Name> = missing.filter_map(|module| requirement_for(module)).collect();
        // A module that no package provides is left out: importing it will say so, and the code may be prepared for that.
        while !names.is_empty() {
            let mut all = asked.requirements.clone();
            all.extend(names.iter().map(Name::to_string));
            let error = match self.resolved(&all, &indexes) {
                Ok(environment) => return Ok((environment, notes)),
                Err(error) => error,
            };
            let guilty = match &error {
                Error::Packages(error) => error.package().and_then(Name::parse),
                _ => None,
            };
            // Each round has one name less.
            if !guilty.is_some_and(|guilty| names.remove(&guilty)) {
                return Err(error);
            }
            let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
            notes.push(format!("an import could not be provided: {error}{hint}"));
        }
        Ok((without, notes))
    }

    /// One look at the indexes, with a budget of its own.
    fn session(&self) -> Indexes {
        let progress = self.options.progress.as_ref().map(|progress| progress());
        self.options.indexes.session(progress.unwrap_or_default())
    }

    fn resolved<'a>(&self, requirements: &[String], indexes: &dyn Fn() -> &'a Indexes) -> Result<Environment, Error> {
        let texts: Vec<&str> = requirements.iter().map(String::as_str).collect();
        let requirements = Requirements::parse(&texts)?;
        let policy = &self.options.policy;
        let inputs = Inputs {
            requirements: policy.requirements.and(&requirements),
            ..policy.clone()
        };
        if let Some(resolved) = self.bundled(&inputs)? {
            return Ok(install(&self.cache, &resolved)?);
        }
        let lock = resolve(&inputs, &self.target, indexes())?;
        Ok(indexes().install(&lock)?)
    }

    /// What is bundled, if that is enough: no index is asked, so it works anywhere and takes no time. Where it is not enough, who can
    /// see all there is explains it better.
    fn bundled(&self, inputs: &Inputs) -> Result<Option<Resolved>, Error> {
        let unconditional = Inputs {
            requirements: inputs.requirements.clone(),
            exclude: inputs.exclude.clone(),
            allow: inputs.allow.clone(),
            ..Inputs::default()
        };
        if *inputs != unconditional {
            return Ok(None);
        }
        let is_allowed = |name: &Name| {
            !inputs.exclude.contains(name) && inputs.allow.as_ref().is_none_or(|allowed| allowed.contains(name))
        };
        let resolved = self.bundled.resolve(&inputs.requirements)?;
        Ok(resolved.filter(|resolved| resolved.wheels().iter().all(|wheel| is_allowed(wheel.name()))))
    }
}
