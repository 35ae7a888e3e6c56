//! Indexes that are made to be hard. Everything ends: with a lock, or with an error that says which bound was reached.

use crate::shelf::{Listed, Shelf};
use prims_packages::{Error, Inputs, Name, Requirements, Target, resolve};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

fn solve(shelf: &Shelf, asked: &[&str]) -> Result<BTreeMap<String, String>, Error> {
    let lock = resolve(&Inputs::from_requirements(asked)?, &Target::default(), shelf)?;
    Ok(lock
        .wheels
        .iter()
        .map(|wheel| (wheel.name.to_string(), wheel.version.to_string()))
        .collect())
}

fn add(shelf: &mut Shelf, name: &str, version: usize, needs: &[String]) {
    let metadata: String = needs.iter().map(|need| format!("Requires-Dist: {need}\n")).collect();
    shelf.add(name, &version.to_string(), &metadata, Listed::default());
}

#[test]
fn ten_thousand_versions() {
    let mut shelf = Shelf::default();
    for version in 0..10_000 {
        add(&mut shelf, "a", version, &[]);
    }
    assert_eq!(solve(&shelf, &["a"]).unwrap()["a"], "9999");
    assert_eq!(solve(&shelf, &["a<=17"]).unwrap()["a"], "17");
    let error = solve(&shelf, &["a>10000"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no version of package `a` fits `a>10000`: there are 10000 versions from 0 to 9999"
    );
}

#[test]
fn more_metadata_than_anybody_needs_is_not_read() {
    let mut shelf = Shelf::default();
    add(&mut shelf, "b", 0, &[]);
    // Each version has another reason, so that none can be left out because of one before it.
    for version in 0..2_500 {
        add(&mut shelf, "a", version, &[format!("b=={}", version + 1)]);
    }
    match solve(&shelf, &["a", "b"]) {
        Err(Error::TooComplex { limit: 2_000, unit }) => assert_eq!(unit, "reads of METADATA"),
        other => panic!("{other:?}"),
    }
    assert!(shelf.reads.load(Ordering::Relaxed) <= 2_000);
}

#[test]
fn layers_that_multiply() {
    // Every version of every layer needs one version of each of the two after it, and the last layers contradict each other: the
    // number of combinations is beyond counting.
    let mut shelf = Shelf::default();
    let (layers, versions) = (12, 6);
    for layer in 0..layers {
        for version in 0..versions {
            let needs: Vec<String> = [1, 2]
                .into_iter()
                .filter(|next| layer + next < layers)
                .map(|next| format!("l{}=={}", layer + next, (version + next) % versions))
                .collect();
            add(&mut shelf, &format!("l{layer}"), version, &needs);
        }
    }
    let all: Vec<String> = (0..layers).map(|layer| format!("l{layer}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    // Either is right here; that it ends is what counts.
    match solve(&shelf, &all) {
        Ok(chosen) => assert_eq!(chosen.len(), layers),
        Err(error) => assert!(
            matches!(error, Error::Conflict { .. } | Error::TooComplex { .. }),
            "{error:?}"
        ),
    }
}

#[test]
fn pigeons_without_enough_holes() {
    // Every pigeon can be in every hole, but a hole holds one pigeon: no solver of this kind finds that out quickly.
    let mut shelf = Shelf::default();
    let holes = 6;
    for pigeon in 0..=holes {
        for hole in 0..holes {
            add(
                &mut shelf,
                &format!("pigeon{pigeon}"),
                hole,
                &[format!("hole{hole}=={pigeon}")],
            );
        }
    }
    for hole in 0..holes {
        for pigeon in 0..=holes {
            add(&mut shelf, &format!("hole{hole}"), pigeon, &[]);
        }
    }
    let all: Vec<String> = (0..=holes).map(|pigeon| format!("pigeon{pigeon}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    match solve(&shelf, &all) {
        Err(Error::Conflict { argument, .. }) => assert!(argument.len() <= 1_200, "{argument}"),
        Err(Error::TooComplex { .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn chains_and_circles() {
    let mut shelf = Shelf::default();
    let long = 1_500;
    for link in 0..long {
        add(&mut shelf, &format!("c{link}"), 1, &[format!("c{}", (link + 1) % long)]);
    }
    assert_eq!(solve(&shelf, &["c7"]).unwrap().len(), long);
    let mut shelf = Shelf::default();
    for link in 0..long {
        add(&mut shelf, &format!("c{link}"), 1, &[format!("c{}", link + 1)]);
    }
    let error = solve(&shelf, &["c0"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "package `c1500` (needed by `c0 → c1 → c2 → … → c1497 → c1498 → c1499`) does not exist"
    );
}

#[test]
fn hashes_decide_which_wheels_there_are() {
    let mut shelf = Shelf::default();
    add(&mut shelf, "a", 1, &["b".into()]);
    add(&mut shelf, "a", 2, &["b".into()]);
    add(&mut shelf, "b", 1, &[]);
    let digest = |name: &str, version: &str| {
        let lock = resolve(
            &Inputs::from_requirements(&[&format!("{name}=={version}")]).unwrap(),
            &Target::default(),
            &shelf,
        );
        let lock = lock.unwrap();
        let wheel = lock
            .wheels
            .iter()
            .find(|wheel| wheel.name.as_str() == name)
            .unwrap()
            .sha256
            .clone();
        (Name::parse(name).unwrap(), BTreeSet::from([wheel]))
    };
    let mut inputs = Inputs {
        requirements: Requirements::parse(&["a"]).unwrap(),
        hashes: BTreeMap::from([digest("a", "1"), digest("b", "1")]),
        require_hashes: true,
        ..Inputs::default()
    };
    let lock = resolve(&inputs, &Target::default(), &shelf).unwrap();
    assert_eq!(lock.wheels[0].version.to_string(), "1");
    inputs.hashes.remove(&Name::parse("b").unwrap());
    let error = resolve(&inputs, &Target::default(), &shelf).unwrap_err();
    assert_eq!(
        error.to_string(),
        "package `b` has no hash among the requirements, and hashes are required"
    );
    inputs
        .hashes
        .insert(Name::parse("b").unwrap(), BTreeSet::from(["0".repeat(64)]));
    let error = resolve(&inputs, &Target::default(), &shelf).unwrap_err();
    assert_eq!(
        error.to_string(),
        "package `b` (needed by `a`) has no wheel with the hash that is required"
    );
}
