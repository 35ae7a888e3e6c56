//! From what is wanted to an environment: what is bundled without asking anybody, everything else through the indexes.

use crate::Error;
use prims_cache::Cache;
use prims_packages::{
    BundledIndex, Environment, Indexes, Inputs, Lock, Name, Progress, Requirements, Target, imported_names, install,
    requirement_for, resolve,
};
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
    /// Constraints, packages that are forbidden or the only ones allowed, hashes: everything but requirements, which come with each
    /// request.
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

impl Packages {
    pub(crate) fn new(cache: Cache, bundled: BundledIndex, options: PackageOptions) -> Packages {
        Packages {
            cache,
            bundled,
            options,
            target: Target::default(),
            standard_library: STANDARD_LIBRARY.lines().collect(),
        }
    }

    /// What is asked for in all, read from the code too.
    pub(crate) fn asked(&self, wanted: &Wanted) -> Result<Asked, Error> {
        let mut requirements = wanted.requirements.to_vec();
        requirements.extend(prims_packages::script_requirements(wanted.code, &self.target)?);
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

    /// The environment for what is asked for.
    pub(crate) fn environment(&self, asked: &Asked) -> Result<Environment, Error> {
        let indexes = || {
            let progress = self.options.progress.as_ref().map(|progress| progress());
            self.options.indexes.session(progress.unwrap_or_default())
        };
        if let Some(lock) = &asked.lock {
            return Ok(indexes().install(lock)?);
        }
        let explicit = self.inputs(&asked.requirements)?;
        let environment = match self.from_the_bundle(&explicit) {
            Some(environment) => environment?,
            None => self.from_indexes(&indexes(), &explicit)?,
        };
        let provided = |module: &String| environment.top_level.contains(module);
        let missing: Vec<&String> = asked.imports.iter().filter(|module| !provided(module)).collect();
        if missing.is_empty() {
            return Ok(environment);
        }
        self.with_imports(&asked.requirements, &missing, &indexes, environment)
    }

    /// The environment with the packages that provide some modules. A module that no package provides is left out: importing it will
    /// say so, and the code may be prepared for that.
    fn with_imports(
        &self,
        requirements: &[String],
        modules: &[&String],
        indexes: &dyn Fn() -> Indexes,
        without: Environment,
    ) -> Result<Environment, Error> {
        let mut names: BTreeSet<Name> = modules.iter().filter_map(|module| requirement_for(module)).collect();
        let indexes = indexes();
        while !names.is_empty() {
            let mut all = requirements.to_vec();
            all.extend(names.iter().map(Name::to_string));
            let inputs = self.inputs(&all)?;
            let found = match self.from_the_bundle(&inputs) {
                Some(environment) => environment,
                None => self.from_indexes(&indexes, &inputs),
            };
            let guilty = match &found {
                Err(Error::Packages(error)) => error.package().and_then(Name::parse),
                _ => None,
            };
            match guilty {
                // Each round has one name less.
                Some(guilty) if names.remove(&guilty) => {}
                _ => return found,
            }
        }
        Ok(without)
    }

    fn inputs(&self, requirements: &[String]) -> Result<Inputs, Error> {
        let texts: Vec<&str> = requirements.iter().map(String::as_str).collect();
        let mut inputs = self.options.policy.clone();
        inputs.requirements = Requirements::parse(&texts)?;
        Ok(inputs)
    }

    /// What is bundled, if that is enough: no index is asked, so it works anywhere and takes no time. Whatever goes wrong here is
    /// better explained by who can see all there is.
    fn from_the_bundle(&self, inputs: &Inputs) -> Option<Result<Environment, Error>> {
        let unconditional = Inputs {
            requirements: inputs.requirements.clone(),
            exclude: inputs.exclude.clone(),
            allow: inputs.allow.clone(),
            ..Inputs::default()
        };
        if *inputs != unconditional {
            return None;
        }
        let resolved = self.bundled.resolve(&inputs.requirements).ok()?;
        let is_allowed =
            |name| !inputs.exclude.contains(name) && inputs.allow.as_ref().is_none_or(|allowed| allowed.contains(name));
        if !resolved.wheels().iter().all(|wheel| is_allowed(wheel.name())) {
            return None;
        }
        Some(install(&self.cache, &resolved).map_err(Error::from))
    }

    fn from_indexes(&self, indexes: &Indexes, inputs: &Inputs) -> Result<Environment, Error> {
        let lock = resolve(inputs, &self.target, indexes)?;
        Ok(indexes.install(&lock)?)
    }
}
