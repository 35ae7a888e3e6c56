//! Requirements in, a lock out: which versions satisfy what was asked for and what those need in turn.
//!
//! ```text
//!  Inputs ──asked──▶ solver ◀──provider──▶ knowledge ◀── Source
//!                      │
//!                      ├── a version of everything ──▶ Lock
//!                      └── a proof that there is none ──explain──▶ Error, with the nearest fix
//! ```
//!
//! There is one target, so markers are constants and a version of a project is one wheel. The same inputs and the same listings give
//! the same lock, whatever their order and whatever arrives first.

mod asked;
mod explain;
mod fix;
mod knowledge;
mod lock;
mod miss;
mod provider;

use crate::catalog::{Lock, Source};
use crate::error::Error;
use crate::inputs::Inputs;
use crate::name::Name;
use crate::target::Target;
use asked::Asked;
use knowledge::{Knowledge, Rules};
use provider::{Package, Provider, root_version};
use pubgrub::{DerivationTree, PubGrubError};
use std::collections::BTreeMap;

/// Most decisions of one resolution. Large honest requirements need some thousand.
const MAX_STEPS: u64 = 100_000;

/// The stack of the thread that resolves. What the solver leaves behind is a tree as deep as its reasoning was long.
const STACK: usize = 256 << 20;

/// A version of everything that is needed.
type Solution = BTreeMap<Package, pep440_rs::Version>;

/// Why there is no solution, as the solver sees it.
type Proof = DerivationTree<Package, crate::specifiers::VersionSet, crate::error::NoWheel>;

/// Chooses wheels that satisfy what was asked for.
///
/// # Errors
/// [`Error::NotFound`], [`Error::NoVersion`], [`Error::NoMatchingVersion`], [`Error::NoWheel`], [`Error::Excluded`],
/// [`Error::UnknownExtra`] and [`Error::MissingHash`] where one package is the reason; [`Error::Conflict`] where several are;
/// [`Error::TooComplex`] after 30 seconds, 2,000 reads of metadata or 100,000 steps; and what the source fails with.
pub fn resolve(inputs: &Inputs, target: &Target, source: &dyn Source) -> Result<Lock, Error> {
    let lock = std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("resolve".into()).stack_size(STACK);
        let handle = builder.spawn_scoped(scope, || resolve_here(inputs, target, source));
        let handle = handle.map_err(|error| Error::Thread(error.kind()))?;
        handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    source.settled();
    lock
}

fn resolve_here(inputs: &Inputs, target: &Target, source: &dyn Source) -> Result<Lock, Error> {
    let rules = Rules {
        exclude: &inputs.exclude,
        allow: inputs.allow.as_ref(),
        hashes: &inputs.hashes,
    };
    let knowledge = Knowledge::new(target, source, rules);
    let asked = Asked::new(&inputs.requirements, &inputs.constraints, target);
    miss::check_direct(&knowledge, &asked)?;
    let solution = match attempt(&knowledge, &asked, MAX_STEPS)? {
        Ok(solution) => solution,
        Err(unsolved) => return Err(explain::explain(&knowledge, &asked, &unsolved)),
    };
    let lock = lock::lock(&knowledge, &asked, &solution)?;
    if inputs.require_hashes || !inputs.hashes.is_empty() {
        let without = lock
            .wheels
            .iter()
            .find(|wheel| !inputs.hashes.contains_key(&wheel.name));
        if let Some(without) = without {
            return Err(Error::MissingHash {
                name: without.name.to_string(),
            });
        }
    }
    Ok(lock)
}

/// What an attempt without a solution leaves.
struct Unsolved {
    proof: Proof,
    /// Who needs what, as far as it was looked at.
    needs: std::collections::HashMap<(Package, pep440_rs::Version), provider::Needs>,
}

/// One run of the solver.
fn attempt(knowledge: &Knowledge<'_>, asked: &Asked, max_steps: u64) -> Result<Result<Solution, Unsolved>, Error> {
    let provider = Provider::new(knowledge, asked, max_steps);
    match pubgrub::resolve(&provider, Package::Root, root_version()) {
        Ok(found) => Ok(Ok(found.into_iter().collect())),
        Err(PubGrubError::NoSolution(proof)) => Ok(Err(Unsolved {
            proof,
            needs: provider.needs.into_inner(),
        })),
        Err(PubGrubError::ErrorRetrievingDependencies { source, .. })
        | Err(PubGrubError::ErrorChoosingVersion { source, .. })
        | Err(PubGrubError::ErrorInShouldCancel(source)) => Err(source),
    }
}

/// The names of what was asked for, sorted, each once.
fn roots(asked: &Asked) -> Vec<Name> {
    let mut names: Vec<Name> = asked
        .requirements
        .iter()
        .map(|requirement| requirement.name.clone())
        .collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Listing, Offer};
    use crate::metadata::Metadata;
    use pep440_rs::Version;
    use std::collections::BTreeSet;
    use std::sync::Arc;

    /// An index that knows nothing.
    struct Empty;

    impl Source for Empty {
        fn listing(&self, _: &Name) -> Result<Option<Arc<Listing>>, Error> {
            Ok(None)
        }

        fn metadata(&self, _: &Offer) -> Result<Arc<Metadata>, Error> {
            unreachable!("nothing is listed")
        }

        fn native_fits(&self, _: &Offer) -> Result<Result<(), String>, Error> {
            unreachable!("nothing is listed")
        }

        fn known_names(&self) -> Vec<Name> {
            vec![]
        }

        fn bundled(&self) -> Vec<(Name, Version)> {
            vec![]
        }
    }

    #[test]
    fn steps_and_time_are_bounded() {
        let (target, hashes, exclude) = (Target::default(), BTreeMap::new(), BTreeSet::new());
        let rules = Rules {
            exclude: &exclude,
            allow: None,
            hashes: &hashes,
        };
        let knowledge = Knowledge::new(&target, &Empty, rules);
        let inputs = Inputs::from_requirements(&["a"]).unwrap();
        let asked = Asked::new(&inputs.requirements, &inputs.constraints, &target);
        let limit = |max_steps| match attempt(&knowledge, &asked, max_steps) {
            Err(Error::TooComplex { limit, unit }) => Some((limit, unit)),
            Ok(Err(_)) => None,
            _ => panic!("there is no `a`"),
        };
        assert_eq!(limit(1), Some((1, "steps")));
        assert_eq!(limit(MAX_STEPS), None);
        knowledge.end_now();
        assert_eq!(limit(MAX_STEPS), Some((30, "seconds")));
    }
}
