//! An entry that is not exactly what was published is never used.

use crate::support::*;
use prims_cache::{Broken, Origin};
use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

fn make_writable(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn flip_bit(path: &Path, bit: u64) {
    make_writable(path);
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, bit / 8).unwrap();
    file.write_all_at(&[byte[0] ^ 1 << (bit % 8)], bit / 8).unwrap();
    // The damage is in the bytes, nothing else gives it away.
    fs::set_permissions(path, Permissions::from_mode(0o444)).unwrap();
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path))
        } else {
            found.push(path)
        }
    }
    found.sort();
    found
}

#[test]
fn every_flipped_bit_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(12);
    for round in 0..300 {
        // Every time as a new process would: nothing is known to be verified.
        let cache = open(folder.path());
        if round % 2 == 0 {
            check_file(&build_file(&cache, 1), 1);
            let path = on_disk(folder.path(), "blob", 1);
            let len = fs::metadata(&path).unwrap().len();
            // Half of them hit the footer and the metadata, which are small.
            let bit = if round % 4 == 0 {
                random.below(len * 8)
            } else {
                (len - 1 - random.below(200)) * 8 + random.below(8)
            };
            flip_bit(&path, bit);
            let entry = build_file(&open(folder.path()), 1);
            assert!(is_rebuilt(entry.origin()), "bit {bit}: {:?}", entry.origin());
            check_file(&entry, 1);
        } else {
            check_dir(&build_dir(&cache, 1), 1);
            let files = files(&on_disk(folder.path(), "tree", 1));
            let files: Vec<_> = files
                .iter()
                .filter(|path| fs::metadata(path).unwrap().len() > 0)
                .collect();
            let path = files[random.below(files.len() as u64) as usize];
            let bit = random.below(fs::metadata(path).unwrap().len() * 8);
            flip_bit(path, bit);
            let entry = build_dir(&open(folder.path()), 1);
            assert!(
                is_rebuilt(entry.origin()),
                "{} bit {bit}: {:?}",
                path.display(),
                entry.origin()
            );
            check_dir(&entry, 1);
        }
    }
    let cache = open(folder.path());
    cache.clean().unwrap();
    nothing_left(folder.path(), || cache.clean().unwrap());
}

/// Damages the file entry and gives why it was rebuilt.
fn damaged_file(damage: impl FnOnce(&Path)) -> Broken {
    let (folder, cache) = cache();
    build_file(&cache, 1);
    build_file(&cache, 2);
    let path = on_disk(folder.path(), "blob", 1);
    damage(&path);
    let (entry, before) = (build_file(&cache, 1), cache.counters());
    check_file(&entry, 1);
    assert_eq!((before.built, before.rebuilt), (2, 1));
    assert_eq!(build_file(&cache, 1).origin(), &Origin::Found);
    let Origin::Rebuilt(reason) = entry.origin() else {
        panic!("{:?}", entry.origin())
    };
    reason.clone()
}

#[test]
fn damaged_files_are_rebuilt() {
    let whole = on_whole_len();
    for len in [0, 1, 135, 136, 4096, 70_000, whole - 137, whole - 136, whole - 1] {
        let cut = |path: &Path| {
            make_writable(path);
            OpenOptions::new().write(true).open(path).unwrap().set_len(len).unwrap();
        };
        damaged_file(cut);
    }
    let extended = damaged_file(|path| {
        make_writable(path);
        OpenOptions::new()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(whole + 1)
            .unwrap();
    });
    assert_eq!(extended, Broken::Magic);
    let text = damaged_file(|path| {
        fs::remove_file(path).unwrap();
        fs::write(path, "x".repeat(10_000)).unwrap();
    });
    assert_eq!(text, Broken::Magic);
    let version = damaged_file(|path| {
        make_writable(path);
        OpenOptions::new()
            .write(true)
            .open(path)
            .unwrap()
            .write_all_at(&[9, 0, 0, 0], whole - 136 + 16)
            .unwrap();
    });
    assert_eq!(version, Broken::Version { found: 9, expected: 1 });
    let another = damaged_file(|path| {
        fs::copy(path.parent().unwrap().join(key(2).hex()), path.with_extension("copy")).unwrap();
        fs::rename(path.with_extension("copy"), path).unwrap();
    });
    assert_eq!(another, Broken::Name);
    let link = damaged_file(|path| {
        fs::rename(path, path.with_extension("moved")).unwrap();
        symlink(path.with_extension("moved"), path).unwrap();
    });
    assert!(matches!(link, Broken::FileType(_)), "{link:?}");
    let folder = damaged_file(|path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    });
    assert!(matches!(folder, Broken::FileType(_)), "{folder:?}");
    let pipe = damaged_file(|path| {
        fs::remove_file(path).unwrap();
        assert!(
            std::process::Command::new("mkfifo")
                .arg(path)
                .status()
                .unwrap()
                .success()
        );
    });
    assert!(matches!(pipe, Broken::FileType(_)), "{pipe:?}");
    let writable = damaged_file(|path| fs::set_permissions(path, Permissions::from_mode(0o666)).unwrap());
    assert_eq!(writable, Broken::Mode(0o666));
}

fn on_whole_len() -> u64 {
    let (folder, cache) = cache();
    build_file(&cache, 1);
    fs::metadata(on_disk(folder.path(), "blob", 1)).unwrap().len()
}

/// Damages the folder entry and gives why the next process rebuilds it.
fn damaged_dir(damage: impl FnOnce(&Path)) -> Broken {
    let (folder, cache) = cache();
    build_dir(&cache, 1);
    let path = on_disk(folder.path(), "tree", 1);
    for path in [
        path.join("tree/package1/part 1"),
        path.join("tree/package1"),
        path.join("tree"),
    ] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
    damage(&path);
    let cache = open(folder.path());
    let entry = build_dir(&cache, 1);
    check_dir(&entry, 1);
    assert_eq!(cache.counters().rebuilt, 1);
    let Origin::Rebuilt(reason) = entry.origin() else {
        panic!("{:?}", entry.origin())
    };
    reason.clone()
}

#[test]
fn damaged_folders_are_rebuilt() {
    const FILE: &str = "package1/part 1/module.py";
    let content = damaged_dir(|path| {
        let file = path.join("tree").join(FILE);
        let len = fs::metadata(&file).unwrap().len();
        fs::remove_file(&file).unwrap();
        fs::write(&file, vec![0; len as usize]).unwrap();
    });
    assert_eq!(content, Broken::Content(FILE.into()));
    let missing = damaged_dir(|path| fs::remove_file(path.join("tree").join(FILE)).unwrap());
    assert_eq!(missing, Broken::Missing(FILE.into()));
    let extra = damaged_dir(|path| fs::write(path.join("tree/package1/part 1/extra.py"), "").unwrap());
    assert_eq!(extra, Broken::Extra("package1/part 1/extra.py".into()));
    let extra = damaged_dir(|path| fs::create_dir(path.join("tree/extra")).unwrap());
    assert_eq!(extra, Broken::Extra("extra".into()));
    let link = damaged_dir(|path| {
        let file = path.join("tree").join(FILE);
        fs::copy(&file, path.join("elsewhere")).unwrap();
        fs::remove_file(&file).unwrap();
        symlink(path.join("elsewhere"), &file).unwrap();
    });
    assert_eq!(link, Broken::FileType(FILE.into()));
    let writable = damaged_dir(|path| {
        fs::set_permissions(path.join("tree").join(FILE), Permissions::from_mode(0o666)).unwrap();
    });
    assert_eq!(writable, Broken::Mode(0o666));
    let writable = damaged_dir(|path| {
        fs::set_permissions(path.join("tree/package1"), Permissions::from_mode(0o777)).unwrap();
    });
    assert_eq!(writable, Broken::Mode(0o777));
    damaged_dir(|path| {
        fs::set_permissions(path.join("tree/empty"), Permissions::from_mode(0o755)).unwrap();
        fs::remove_dir(path.join("tree/empty/er")).unwrap();
    });
    damaged_dir(|path| fs::remove_file(path.join("manifest")).unwrap());
    damaged_dir(|path| {
        make_writable(&path.join("manifest"));
        fs::write(path.join("manifest"), "").unwrap();
    });
    damaged_dir(|path| {
        fs::rename(path.join("tree"), path.join("moved")).unwrap();
        symlink(path.join("moved"), path.join("tree")).unwrap();
    });
    damaged_dir(|path| fs::remove_dir_all(path.join("tree")).unwrap());
    damaged_dir(|path| {
        fs::remove_dir_all(path).unwrap();
        fs::write(path, "").unwrap();
    });
    damaged_dir(|path| {
        fs::rename(path, path.with_extension("moved")).unwrap();
        symlink(path.with_extension("moved"), path).unwrap();
    });
}

#[test]
fn the_same_process_notices_a_change_at_the_top() {
    let (folder, cache) = cache();
    build_dir(&cache, 1);
    let path = on_disk(folder.path(), "tree", 1);
    assert_eq!(build_dir(&cache, 1).origin(), &Origin::Found);
    flip_bit(&path.join("manifest"), 1000);
    assert!(is_rebuilt(build_dir(&cache, 1).origin()));
    fs::set_permissions(path.join("tree"), Permissions::from_mode(0o755)).unwrap();
    fs::write(path.join("tree/extra"), "").unwrap();
    assert!(is_rebuilt(build_dir(&cache, 1).origin()));
}

#[test]
fn entries_are_read_only_and_handles_too() {
    let (folder, cache) = cache();
    for entry in [build_file(&cache, 1), build_file(&cache, 1)] {
        assert!(entry.file().write_at(b"x", 0).is_err());
    }
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&on_disk(folder.path(), "blob", 1)), 0o444);
    let dir = build_dir(&cache, 1);
    for path in files(dir.path()) {
        assert_eq!(mode(&path), 0o444);
        assert_eq!(mode(path.parent().unwrap()), 0o555);
    }
    assert_eq!(mode(dir.path()), 0o555);
}

#[test]
fn holes_stay_holes_and_the_tail_of_the_last_page_is_empty() {
    use std::os::unix::fs::MetadataExt;
    let (folder, cache) = cache();
    let entry = cache.file("sparse", &key(1), |out| {
        out.write_all_at(b"x", 100 << 20).unwrap();
        out.set_len((200 << 20) + 5).unwrap();
        Ok::<(), prims_cache::Error>(())
    });
    let entry = entry.unwrap();
    let found = fs::metadata(on_disk(folder.path(), "sparse", 1)).unwrap();
    assert!(found.blocks() * 512 < 1 << 20, "{} blocks", found.blocks());
    assert_eq!(entry.payload_len(), (200 << 20) + 5);
    let mut tail = [1; (16 << 10) - 5];
    entry.file().read_exact_at(&mut tail, entry.payload_len()).unwrap();
    assert!(tail.iter().all(|byte| *byte == 0));
    // What was written beyond a later, shorter length is gone.
    let entry = cache.file("cut", &key(1), |out| {
        out.write_all_at(b"xxxxxxxx", 0).unwrap();
        out.set_len(3).unwrap();
        out.set_len(6).unwrap();
        Ok::<(), prims_cache::Error>(())
    });
    assert_eq!(entry.unwrap().read().unwrap(), b"xxx\0\0\0");
}

#[test]
fn paths_that_clash_are_refused() {
    use prims_cache::{Error, PathProblem};
    let (_folder, cache) = cache();
    let attempt = |first: &str, second: &str| {
        let result = cache.dir("tree", &key(9), |out| {
            out.file(first, b"")?;
            out.file(second, b"")
        });
        match result {
            Err(Error::EntryPath { problem, .. }) => problem,
            other => panic!("{first} {second}: {other:?}"),
        }
    };
    assert_eq!(attempt("a", "a"), PathProblem::Duplicate);
    assert_eq!(attempt("a", "A"), PathProblem::CaseClash);
    assert_eq!(attempt("É/x", "é/y"), PathProblem::CaseClash);
    assert_eq!(attempt("a", "a/b"), PathProblem::FileAndFolder);
    assert_eq!(attempt("a/b", "a"), PathProblem::FileAndFolder);
    assert_eq!(attempt("a", "../b"), PathProblem::Dots);
}
