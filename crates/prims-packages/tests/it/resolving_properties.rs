//! Properties of what is chosen, over indexes and requirements that are made up.

use crate::random::Random;
use crate::resolving_scenarios::pins;
use crate::shelf::{Listed, Shelf};
use pep440_rs::{Version, VersionSpecifiers};
use prims_packages::{Error, Inputs, Requirements, Target, resolve};
use std::collections::BTreeMap;
use std::str::FromStr;

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
const VERSIONS: [&str; 3] = ["1.0", "1.5", "2.0"];
const SPECIFIERS: [&str; 9] = ["", ">=1.5", "<2", "==1.0", "!=1.5", "~=1.0", ">1.0", "==2.*", "<=1.5"];

/// Dependencies by package and version.
type World = BTreeMap<(String, String), Vec<String>>;

fn world(numbers: &mut Random) -> World {
    let mut world = World::new();
    for name in NAMES {
        for version in VERSIONS {
            if numbers.below(5) > 0 {
                let count = numbers.below(3);
                let needs = (0..count).map(|_| requirement(numbers)).collect();
                world.insert((name.into(), version.into()), needs);
            }
        }
    }
    world
}

fn requirement(numbers: &mut Random) -> String {
    let name = NAMES[numbers.below(NAMES.len() as u64) as usize];
    let specifier = SPECIFIERS[numbers.below(SPECIFIERS.len() as u64) as usize];
    format!("{name}{specifier}")
}

fn shelf(world: &World) -> Shelf {
    let mut shelf = Shelf::default();
    for ((name, version), needs) in world {
        let metadata: String = needs.iter().map(|need| format!("Requires-Dist: {need}\n")).collect();
        shelf.add(name, version, &metadata, Listed::default());
    }
    shelf
}

/// Whether versions that were chosen meet a requirement.
fn meets(chosen: &BTreeMap<String, String>, requirement: &str) -> bool {
    let (name, specifier) = requirement.split_at(1);
    let specifiers = VersionSpecifiers::from_str(specifier).unwrap();
    chosen
        .get(name)
        .is_some_and(|version| specifiers.contains(&Version::from_str(version).unwrap()))
}

fn is_solution(world: &World, asked: &[String], chosen: &BTreeMap<String, String>) -> bool {
    let needs_met = |(name, version): (&String, &String)| {
        let needs = world.get(&(name.clone(), version.clone()));
        needs.is_some_and(|needs| needs.iter().all(|need| meets(chosen, need)))
    };
    asked.iter().all(|requirement| meets(chosen, requirement)) && chosen.iter().all(needs_met)
}

/// Tries all combinations of versions.
fn has_solution(world: &World, asked: &[String]) -> bool {
    let choices = VERSIONS.len() + 1;
    (0..choices.pow(NAMES.len() as u32)).any(|combination| {
        let mut chosen = BTreeMap::new();
        for (index, name) in NAMES.iter().enumerate() {
            if let Some(version) = VERSIONS.get(combination / choices.pow(index as u32) % choices) {
                chosen.insert((*name).to_owned(), (*version).to_owned());
            }
        }
        is_solution(world, asked, &chosen)
    })
}

fn solve(shelf: &Shelf, asked: &[String]) -> Result<Vec<String>, Error> {
    let texts: Vec<&str> = asked.iter().map(String::as_str).collect();
    let inputs = Inputs::from_requirements(&texts)?;
    resolve(&inputs, &Target::default(), shelf).map(|lock| pins(&lock))
}

#[test]
fn there_is_a_lock_exactly_when_some_versions_fit() {
    let mut numbers = Random::new(0x9e37_79b9_7f4a_7c15);
    let (mut solved, mut failed) = (0, 0);
    for round in 0..400 {
        let world = world(&mut numbers);
        let count = 1 + numbers.below(3);
        let mut asked: Vec<String> = (0..count).map(|_| requirement(&mut numbers)).collect();
        let shelf = shelf(&world);
        match solve(&shelf, &asked) {
            Ok(pins) => {
                solved += 1;
                let chosen = pins.iter().map(|pin| pin.split_once("==").unwrap());
                let chosen: BTreeMap<String, String> =
                    chosen.map(|(name, version)| (name.into(), version.into())).collect();
                assert!(
                    is_solution(&world, &asked, &chosen),
                    "round {round}: {asked:?} gave {chosen:?} in {world:?}"
                );
                // The order of what is asked makes no difference, and what was chosen is chosen again.
                asked.reverse();
                assert_eq!(solve(&shelf, &asked).unwrap(), pins, "round {round}: {asked:?}");
                asked.push(asked[0].clone());
                assert_eq!(solve(&shelf, &asked).unwrap(), pins, "round {round}: {asked:?}");
                assert_eq!(solve(&shelf, &pins).unwrap(), pins, "round {round}: {pins:?}");
            }
            Err(error) => {
                failed += 1;
                assert!(
                    !has_solution(&world, &asked),
                    "round {round}: {asked:?} failed in {world:?}: {error}"
                );
                assert!(error.to_string().len() <= 1_200, "{error}");
                let again = solve(&shelf, &asked).unwrap_err();
                assert_eq!(
                    (error.to_string(), error.hint()),
                    (again.to_string(), again.hint()),
                    "round {round}"
                );
            }
        }
    }
    assert!(solved > 100 && failed > 50, "{solved} solved, {failed} failed");
}

#[test]
fn a_lock_says_what_each_wheel_needs() {
    let mut shelf = Shelf::default();
    shelf.add(
        "a",
        "1.0",
        "Requires-Dist: b\nRequires-Dist: c; extra == 'x'\nProvides-Extra: x\n",
        Listed::default(),
    );
    shelf.add("b", "1.0", "Requires-Dist: a\n", Listed::default());
    shelf.add("c", "1.0", "", Listed::default());
    let inputs = Inputs {
        requirements: Requirements::parse(&["a[x]", "b"]).unwrap(),
        ..Inputs::default()
    };
    let lock = resolve(&inputs, &Target::default(), &shelf).unwrap();
    let needs: Vec<String> = lock
        .wheels
        .iter()
        .map(|wheel| format!("{}: {:?}", wheel.name, names(&wheel.dependencies)))
        .collect();
    assert_eq!(needs, ["a: [\"b\", \"c\"]", "b: [\"a\"]", "c: []"]);
    assert_eq!(names(&lock.roots), ["a", "b"]);
    assert!(
        lock.wheels
            .iter()
            .all(|wheel| wheel.sha256.len() == 64 && wheel.size.is_some())
    );
    assert_eq!(
        lock.tree(),
        "a v1.0\n├── b v1.0\n│   └── a v1.0 (*)\n└── c v1.0\nb v1.0 (*)\n"
    );
    let why = |name: &str| lock.why(&prims_packages::Name::parse(name).unwrap());
    assert_eq!(why("c").unwrap(), "a v1.0 → c v1.0\nb v1.0 → a v1.0 → c v1.0\n");
    assert_eq!(why("b").unwrap(), "a v1.0 → b v1.0\nb v1.0 (asked for)\n");
    assert_eq!(why("d"), None);
}

fn names(names: &[prims_packages::Name]) -> Vec<&str> {
    names.iter().map(prims_packages::Name::as_str).collect()
}
