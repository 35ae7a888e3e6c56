//! Counting, verifying and cleaning.

use crate::children::spawn;
use crate::process::{finish, wait_for};
use crate::support::*;
use prims_cache::{Cleaned, Error, Origin, Retention};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::time::{Duration, SystemTime};

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
    let cleaned = settled(0, || cache.clean().unwrap());
    assert_eq!((cleaned.removed, cleaned.in_use), (4, 0));
    assert_eq!(cleaned.bytes, info.kinds.iter().map(|kind| kind.bytes).sum::<u64>());
    assert_eq!(cache.info().unwrap().kinds, []);
    assert_eq!(fs::read_dir(folder.path().join("v1/blob")).unwrap().count(), 1);
    fs::remove_file(folder.path().join("v1/blob/notes.txt")).unwrap();
    nothing_left(folder.path(), || cache.clean().unwrap());
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
        settled(4, || other.clean().unwrap()),
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
    let cleaned = settled(2, || other.clean().unwrap());
    assert_eq!((cleaned.removed, cleaned.in_use), (2, 2));
    drop(clone);
    assert_eq!(settled(1, || other.clean().unwrap()).removed, 1);
    drop(cache);
    assert_eq!(settled(0, || other.clean().unwrap()).removed, 1);
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
    let cleaned = settled(3, || cache.clean().unwrap());
    assert_eq!((cleaned.removed, cleaned.in_use), (1, 3));
    finish(child);
    assert_eq!(settled(0, || cache.clean().unwrap()).removed, 3);

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
                loop {
                    check_file(&build_file(&cache, 1), 1);
                    let dir = build_dir(&cache, 1);
                    check_dir(&dir, 1);
                    if std::time::Instant::now() >= until {
                        break;
                    }
                }
                assert_eq!(cache.counters().rebuilt, 0);
            });
        }
        scope.spawn(|| {
            // What is built last stays, so there is something to remove, however late this thread comes.
            let mut removed = 0;
            while std::time::Instant::now() < until || removed == 0 {
                removed += cache.clean().unwrap().removed;
            }
        });
    });
}

const HOUR: Duration = Duration::from_secs(3600);

/// Makes an entry look as if it had been used so long ago.
fn age(folder: &std::path::Path, kind: &str, number: u32, by: Duration) {
    let entry = File::open(on_disk(folder, kind, number)).unwrap();
    entry.set_modified(SystemTime::now() - by).unwrap();
}

#[test]
fn what_was_not_used_for_long_goes() {
    let (folder, cache) = cache();
    for number in 0..4 {
        build_file(&cache, number);
        build_dir(&cache, number);
        age(folder.path(), "blob", number, HOUR * 10);
        age(folder.path(), "tree", number, HOUR * 10);
    }
    // Using it is enough, looking after it is not.
    build_file(&open(folder.path()), 0);
    assert!(cache.find("blob", &key(1)).unwrap().is_some());
    let held = build_dir(&open(folder.path()), 2);
    age(folder.path(), "tree", 2, HOUR * 10);
    cache.verify().unwrap();
    let retention = Retention {
        unused_for: Some(HOUR),
        bytes: None,
    };
    let cleaned = settled(1, || cache.trim(&retention).unwrap());
    assert_eq!((cleaned.removed, cleaned.in_use), (5, 1));
    check_dir(&held, 2);
    let kinds = cache.info().unwrap().kinds;
    let kinds: Vec<_> = kinds.iter().map(|kind| (kind.kind.as_str(), kind.entries)).collect();
    assert_eq!(kinds, [("blob", 2), ("tree", 1)]);
    assert_eq!(cache.trim(&Retention::default()).unwrap().removed, 0);
    nothing_left(folder.path(), || cache.trim(&Retention::default()).unwrap());
    // A clock that was wrong keeps nothing for ever.
    age(folder.path(), "blob", 0, Duration::ZERO);
    let entry = File::open(on_disk(folder.path(), "blob", 0)).unwrap();
    entry.set_modified(SystemTime::now() + HOUR * 1000).unwrap();
    build_file(&open(folder.path()), 0);
    let modified = fs::metadata(on_disk(folder.path(), "blob", 0))
        .unwrap()
        .modified()
        .unwrap();
    assert!(modified < SystemTime::now() + HOUR);
}

#[test]
fn what_was_used_longest_ago_goes_first() {
    let (folder, cache) = cache();
    for number in 0..6 {
        build_file(&cache, number);
        age(folder.path(), "blob", number, HOUR * (10 - number));
    }
    let _held = build_file(&open(folder.path()), 1);
    age(folder.path(), "blob", 1, HOUR * 20);
    let total = cache.info().unwrap().kinds[0].bytes;
    let retention = Retention {
        unused_for: None,
        bytes: Some(total / 2),
    };
    let cleaned = cache.trim(&retention).unwrap();
    assert_eq!((cleaned.removed, cleaned.in_use), (3, 1));
    for (number, is_there) in [(0, false), (1, true), (2, false), (3, false), (4, true), (5, true)] {
        assert_eq!(on_disk(folder.path(), "blob", number).exists(), is_there, "{number}");
    }
}

#[test]
fn an_entry_can_be_replaced_and_forgotten() {
    let (folder, cache) = cache();
    let write = |text: &'static str| {
        cache.replace("page", &key(1), move |out| {
            out.set_not_durable();
            out.set_metadata(b"m".to_vec());
            out.write_all(text.as_bytes()).unwrap();
            Ok::<(), Error>(())
        })
    };
    assert!(cache.find("page", &key(1)).unwrap().is_none());
    let first = write("one").unwrap();
    write("two").unwrap();
    let found = cache.find("page", &key(1)).unwrap().unwrap();
    assert_eq!(
        (first.read().unwrap(), found.read().unwrap()),
        (b"one".to_vec(), b"two".to_vec())
    );
    // One that fails leaves the old one.
    let failed = cache.replace("page", &key(1), |out| {
        out.write_all(b"three").unwrap();
        Err(Error::Kind("given up".into()))
    });
    assert!(failed.is_err());
    assert_eq!(cache.find("page", &key(1)).unwrap().unwrap().read().unwrap(), b"two");
    // A broken one is not found, and replaced.
    let path = on_disk(folder.path(), "page", 1);
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(b"X", 1).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o444)).unwrap();
    assert!(cache.find("page", &key(1)).unwrap().is_none());
    assert!(matches!(write("four").unwrap().origin(), Origin::Rebuilt(_)));
    assert_eq!(cache.counters().rebuilt, 1);
    cache.forget("page", &key(1)).unwrap();
    cache.forget("page", &key(1)).unwrap();
    assert!(cache.find("page", &key(1)).unwrap().is_none());
    assert_eq!(leftovers(folder.path()), Vec::<std::path::PathBuf>::new());
}

#[test]
fn readers_of_an_entry_that_is_replaced_see_one_or_the_other() {
    let (folder, cache) = cache();
    let text = |number: u8| vec![number; 100_000];
    std::thread::scope(|scope| {
        for number in 0..3u8 {
            let cache = open(folder.path());
            scope.spawn(move || {
                for _ in 0..50 {
                    let entry = cache.replace("page", &key(1), |out| {
                        out.set_not_durable();
                        out.write_all(&text(number)).unwrap();
                        Ok::<(), Error>(())
                    });
                    assert_eq!(entry.unwrap().read().unwrap(), text(number));
                }
            });
        }
        for _ in 0..200 {
            if let Some(entry) = cache.find("page", &key(1)).unwrap() {
                let read = entry.read().unwrap();
                assert_eq!(read, text(read[0]));
            }
        }
    });
    assert_eq!(cache.counters().rebuilt, 0);
}
