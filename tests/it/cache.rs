//! A damaged cache is noticed before anything of it is used, and mended.

use prims_cache::Cache;
use prims_interpreter::Interpreter;
use prims_packages::BundledIndex;
use prims_sandbox::{Invocation, Options};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Opens everything anew, as the next process would.
fn run(folder: &Path) -> (String, prims_cache::Counters) {
    let cache = Cache::open(Some(folder)).expect("a private cache");
    let index = BundledIndex::new(&[]).expect("no wheels");
    let guest = prims_wasm::embedded_guest(&cache);
    let interpreter = Interpreter::new(guest, index, cache.clone(), Options::default()).expect("the guest compiles");
    let image = interpreter.prepare(&[]).expect("an image").image;
    let outcome = image
        .run(&Invocation::new("import json\njson.dumps({'a': [1, 2]})"))
        .expect("the host does its part");
    (super::value(&outcome), cache.counters())
}

/// The largest file below the folder with this name: the machine code, the image.
fn entry(cache: &Path, kind: &str) -> PathBuf {
    fn files(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("the cache can be listed").flatten() {
            if entry.path().is_dir() {
                files(&entry.path(), found)
            } else {
                found.push(entry.path())
            }
        }
    }
    let mut found = vec![];
    files(cache, &mut found);
    found.retain(|path| path.parent().is_some_and(|folder| folder.ends_with(kind)));
    let size = |path: &PathBuf| path.metadata().map_or(0, |metadata| metadata.len());
    found.into_iter().max_by_key(size).expect("the cache has such an entry")
}

/// Changes a file as a failing disk would: behind the back of its mode, without another name.
fn damage(path: &Path, how: impl FnOnce(&mut Vec<u8>)) {
    let mode = path.metadata().expect("it is there").permissions();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).expect("it is ours");
    let mut bytes = std::fs::read(path).expect("it can be read");
    how(&mut bytes);
    std::fs::write(path, bytes).expect("it can be written");
    std::fs::set_permissions(path, mode).expect("it is ours");
}

#[test]
fn damaged_entries_are_rebuilt() {
    const RIGHT: &str = r#"'{"a": [1, 2]}'"#;
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path();
    let (value, counters) = run(cache);
    assert_eq!((value.as_str(), counters.rebuilt), (RIGHT, 0));
    let (value, counters) = run(cache);
    assert_eq!((value.as_str(), counters.built, counters.rebuilt), (RIGHT, 0, 0));

    let flip = |at: fn(usize) -> usize| {
        move |bytes: &mut Vec<u8>| {
            let at = at(bytes.len());
            bytes[at] ^= 0x10;
        }
    };
    // The middle of the machine code, and the image in its first, last and middle bytes; shorter, empty, longer.
    damage(&entry(cache, "code"), flip(|len| len / 2));
    damage(&entry(cache, "image"), flip(|len| len / 2));
    let (value, counters) = run(cache);
    assert_eq!((value.as_str(), counters.rebuilt), (RIGHT, 2));
    for (name, how) in [
        ("first byte", Box::new(flip(|_| 0)) as Box<dyn FnOnce(&mut Vec<u8>)>),
        ("last byte", Box::new(flip(|len| len - 1))),
        ("cut", Box::new(|bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2))),
        ("empty", Box::new(Vec::clear)),
        ("longer", Box::new(|bytes: &mut Vec<u8>| bytes.push(0))),
    ] {
        damage(&entry(cache, "image"), how);
        let (value, counters) = run(cache);
        assert_eq!((value.as_str(), counters.rebuilt), (RIGHT, 1), "{name}");
    }
    let (value, counters) = run(cache);
    assert_eq!((value.as_str(), counters.built, counters.rebuilt), (RIGHT, 0, 0));
}
