//! Environments in the cache.

use crate::support::*;
use prims_packages::{BundledIndex, Error, Requirements, install};

#[test]
fn an_environment_is_made_once_and_named_by_its_wheels() {
    let (folder, cache) = cache();
    let first = [
        Draft::of("a", "1.0", "", &[("a.py", "")]),
        Draft::of("b", "1.0", "", &[("b.py", "")]),
    ];
    let index = index(&first);
    let resolve = |names: &[&str]| index.resolve(&Requirements::parse(names).unwrap()).unwrap().unwrap();
    let one = install(&cache, &resolve(&["a", "b"])).unwrap();
    let same = install(&cache, &resolve(&["B>=1", "A"])).unwrap();
    assert_eq!((&one.digest, &one.path), (&same.digest, &same.path));
    assert_eq!(
        one.packages,
        [("a".to_owned(), "1.0".to_owned()), ("b".to_owned(), "1.0".to_owned())]
    );
    assert_eq!(one.top_level, ["a", "b"]);
    assert_eq!((cache.counters().built, cache.counters().found), (1, 1));
    let less = install(&cache, &resolve(&["a"])).unwrap();
    assert_ne!(less.digest, one.digest);
    // Another process finds the same.
    let other = prims_cache::Cache::open(Some(folder.path())).unwrap();
    let found = install(&other, &resolve(&["a", "b"])).unwrap();
    assert_eq!(
        (found.path, found.top_level, found.digest),
        (one.path.clone(), one.top_level.clone(), one.digest.clone())
    );
    assert_eq!(other.counters().built, 0);
    // It stays while it is used.
    assert_eq!(other.clean().unwrap().removed, 0);
    drop((one, same));
    assert_eq!(other.clean().unwrap().removed, 0);
}

#[test]
fn nothing_is_an_empty_folder() {
    let (_folder, cache) = cache();
    let index = BundledIndex::new(&[]).unwrap();
    let environment = install(&cache, &index.resolve(&Requirements::default()).unwrap().unwrap()).unwrap();
    assert_eq!(std::fs::read_dir(&environment.path).unwrap().count(), 0);
    assert!(environment.packages.is_empty() && environment.top_level.is_empty());
    assert_eq!(environment.digest.len(), 64);
}

#[test]
fn packages_may_share_what_is_the_same_and_nothing_else() {
    let (_folder, cache) = cache();
    let package =
        |name: &str, shared: &str, own: &str| Draft::of(name, "1", "", &[("shared/__init__.py", shared), (own, "")]);
    let same = [package("a", "", "shared/a.py"), package("b", "", "shared/b.py")].map(|draft| draft.wheel());
    let environment = install_all(&cache, &same).unwrap();
    assert!(environment.path.join("shared/a.py").is_file() && environment.path.join("shared/b.py").is_file());
    let different = [package("a", "x", "shared/a.py"), package("b", "y", "shared/b.py")].map(|draft| draft.wheel());
    match install_all(&cache, &different) {
        Err(Error::Clash { path, first, second }) => {
            assert_eq!(
                (path.as_str(), first.as_str(), second.as_str()),
                ("shared/__init__.py", "a", "b")
            );
        }
        other => panic!("{other:?}"),
    }
    let case = [package("a", "", "shared/x.py"), package("b", "", "shared/X.py")].map(|draft| draft.wheel());
    assert!(matches!(install_all(&cache, &case), Err(Error::BadWheel { .. })));
}

#[test]
fn more_files_than_anybody_needs_are_refused() {
    let (_folder, cache) = cache();
    let mut draft = Draft::new(&[]);
    let file = |index| Member {
        deflated: false,
        ..Member::new(&format!("a/{index}.py"), b"")
    };
    draft.members.extend((0..50_001).map(file));
    match install_all(&cache, &[draft.wheel()]) {
        Err(Error::TooLarge { found, limit, unit }) => assert_eq!((found, limit, unit), (50_004, 50_000, "files")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn more_bytes_than_anybody_needs_are_refused() {
    let (_folder, cache) = cache();
    // Announced only: nothing is unpacked. Padding keeps the ratio honest.
    let mut draft = Draft::new(&[]);
    draft.members.push(Member {
        size: Some((1 << 30) + 1),
        ..Member::new("a/large", b"x")
    });
    let padding: Vec<u8> = (0..6u32 << 20)
        .map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    draft.members.push(Member {
        deflated: false,
        ..Member::new("a/padding", &padding)
    });
    match install_all(&cache, &[draft.wheel()]) {
        Err(Error::TooLarge { limit, unit, .. }) => assert_eq!((limit, unit), (1 << 30, "bytes")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn many_threads_make_one_environment() {
    let (_folder, cache) = cache();
    let index = index(&[Draft::new(&[("a/__init__.py", "")])]);
    std::thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                let resolved = index.resolve(&Requirements::parse(&["a"]).unwrap()).unwrap().unwrap();
                let environment = install(&cache, &resolved).unwrap();
                assert!(environment.path.join("a/__init__.py").is_file());
            });
        }
    });
    assert_eq!((cache.counters().built, cache.counters().found), (1, 99));
}
