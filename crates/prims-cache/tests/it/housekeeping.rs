//! Counting, verifying and cleaning.

use crate::children::{finish, spawn, wait_for};
use crate::support::*;
use prims_cache::Cleaned;
use std::fs;

#[test]
fn info_counts_and_clean_removes() {
    let (folder, cache) = cache();
    assert_eq!(cache.info().unwrap().kinds, []);
    for number in 0..3 {
        build_file(&cache, number);
    }
    build_dir(&cache, 0);
    // What is not ours is not counted and stays.
    fs::write(folder.path().join("v1/blob/notes.txt"), "mine").unwrap();
    let info = cache.info().unwrap();
    let kinds: Vec<_> = info
        .kinds
        .iter()
        .map(|kind| (kind.kind.as_str(), kind.entries))
        .collect();
    assert_eq!(kinds, [("blob", 3), ("tree", 1)]);
    assert!(info.kinds.iter().all(|kind| kind.bytes > 4096));
    let cleaned = cache.clean().unwrap();
    assert_eq!((cleaned.removed, cleaned.in_use), (4, 0));
    assert_eq!(cleaned.bytes, info.kinds.iter().map(|kind| kind.bytes).sum::<u64>());
    assert_eq!(cache.info().unwrap().kinds, []);
    assert_eq!(fs::read_dir(folder.path().join("v1/blob")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(folder.path().join("v1/.trash")).unwrap().count(), 0);
    check_file(&build_file(&cache, 0), 0);
    check_dir(&build_dir(&cache, 0), 0);
}

#[test]
fn what_is_used_here_stays() {
    let (folder, cache) = cache();
    let (file, dir) = (build_file(&cache, 1), build_dir(&cache, 1));
    let raw = build_file(&cache, 2).into_file();
    let kept = cache.keep(build_dir(&cache, 2));
    build_file(&cache, 3);
    let other = open(folder.path());
    assert_eq!(
        other.clean().unwrap(),
        Cleaned {
            removed: 1,
            in_use: 4,
            bytes: other_bytes()
        }
    );
    assert!(kept.is_dir() && dir.path().is_dir());
    check_file(&file, 1);
    let clone = dir.clone();
    drop((file, dir, raw));
    let cleaned = other.clean().unwrap();
    assert_eq!((cleaned.removed, cleaned.in_use), (2, 2));
    drop(clone);
    assert_eq!(other.clean().unwrap().removed, 1);
    drop(cache);
    assert_eq!(other.clean().unwrap().removed, 1);
}

/// Bytes one file entry of these tests takes.
fn other_bytes() -> u64 {
    let (_folder, cache) = cache();
    build_file(&cache, 3);
    cache.info().unwrap().kinds[0].bytes
}

#[test]
fn what_another_process_uses_or_builds_stays() {
    let (folder, cache) = cache();
    let mut child = spawn("hold", folder.path());
    wait_for(&mut child, "ready");
    build_file(&cache, 4);
    let cleaned = cache.clean().unwrap();
    assert_eq!((cleaned.removed, cleaned.in_use), (1, 3));
    finish(child);
    assert_eq!(cache.clean().unwrap().removed, 3);

    let mut child = spawn("sit-on-build", folder.path());
    wait_for(&mut child, "ready");
    cache.clean().unwrap();
    let unfinished = on_disk(folder.path(), "blob", 1).with_extension("tmp");
    assert!(unfinished.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    cache.clean().unwrap();
    assert!(!unfinished.exists());
}

#[test]
fn the_first_build_sweeps_what_killed_builders_left() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = spawn("sit-on-build", folder.path());
    wait_for(&mut child, "ready");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(leftovers(folder.path()).len(), 1);
    build_file(&open(folder.path()), 7);
    assert_eq!(leftovers(folder.path()), Vec::<std::path::PathBuf>::new());
}

#[test]
fn verify_reports_and_removes_nothing() {
    let (folder, cache) = cache();
    for number in 0..2 {
        build_file(&cache, number);
        build_dir(&cache, number);
    }
    let verified = cache.verify().unwrap();
    assert_eq!((verified.intact, verified.broken.len()), (4, 0));
    let broken = on_disk(folder.path(), "blob", 1);
    fs::remove_file(&broken).unwrap();
    fs::write(&broken, "x").unwrap();
    // The same process has verified this folder before; `verify` looks again.
    let file = on_disk(folder.path(), "tree", 0).join("tree/package1/part 1/module.py");
    let mut content = fs::read(&file).unwrap();
    content[3] ^= 1;
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    fs::write(&file, content).unwrap();
    let verified = cache.verify().unwrap();
    assert_eq!(verified.intact, 2);
    let kinds: Vec<_> = verified
        .broken
        .iter()
        .map(|broken| (broken.kind.as_str(), broken.key.as_str()))
        .collect();
    assert_eq!(
        kinds,
        [("blob", key(1).hex().as_str()), ("tree", key(0).hex().as_str())]
    );
    assert!(broken.exists() && file.exists());
}

#[test]
fn threads_that_clean_and_build_do_not_disturb_each_other() {
    let (folder, cache) = cache();
    let until = std::time::Instant::now() + std::time::Duration::from_millis(700);
    std::thread::scope(|scope| {
        for worker in 0..3 {
            let cache = if worker == 0 {
                cache.clone()
            } else {
                open(folder.path())
            };
            scope.spawn(move || {
                while std::time::Instant::now() < until {
                    check_file(&build_file(&cache, 1), 1);
                    let dir = build_dir(&cache, 1);
                    check_dir(&dir, 1);
                }
                assert_eq!(cache.counters().rebuilt, 0);
            });
        }
        scope.spawn(|| {
            let mut removed = 0;
            while std::time::Instant::now() < until {
                removed += cache.clean().unwrap().removed;
            }
            assert!(removed > 0);
        });
    });
}
