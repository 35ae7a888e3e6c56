//! Once, between threads and processes, whatever happens to them.

use crate::children::spawn;
use crate::process::{finish, wait_for};
use crate::support::*;
use prims_cache::{Cache, Error, Origin};
use std::io::Write;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[test]
fn threads_build_once() {
    let (folder, cache) = cache();
    let (files, dirs, barrier) = (AtomicUsize::new(0), AtomicUsize::new(0), Barrier::new(32));
    let work = |cache: Cache| {
        barrier.wait();
        let file = cache.file("blob", &key(1), |out| {
            files.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(50));
            write_file(out, 1)
        });
        check_file(&file.unwrap(), 1);
        let dir = cache.dir("tree", &key(1), |out| {
            dirs.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(50));
            write_dir(out, 1)
        });
        check_dir(&dir.unwrap(), 1);
    };
    std::thread::scope(|scope| {
        for index in 0..32 {
            // Half of them share a cache, the others have one of their own in the same folder.
            let cache = if index % 2 == 0 {
                cache.clone()
            } else {
                open(folder.path())
            };
            scope.spawn(|| work(cache));
        }
    });
    assert_eq!((files.into_inner(), dirs.into_inner()), (1, 1));
    assert_eq!(leftovers(folder.path()), Vec::<std::path::PathBuf>::new());
}

#[test]
fn processes_build_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut children: Vec<_> = (0..8).map(|_| spawn("build", folder.path())).collect();
    children.iter_mut().for_each(|child| wait_for(child, "ready"));
    // All begin at once: their input ends.
    children.iter_mut().for_each(|child| drop(child.stdin.take()));
    let said: Vec<String> = children.into_iter().map(finish).collect();
    let mut built: Vec<&str> = said
        .iter()
        .flat_map(|said| said.lines())
        .filter(|line| line.contains("built "))
        .collect();
    built.sort_unstable();
    let mut expected: Vec<String> = (0..6)
        .flat_map(|n| [format!("built blob {n}"), format!("built tree {n}")])
        .collect();
    expected.sort_unstable();
    assert_eq!(built, expected);
    assert_eq!(open(folder.path()).verify().unwrap().intact, 12);
}

#[test]
fn whoever_waits_too_long_is_told() {
    let (folder, cache) = cache();
    let mut child = spawn("sit-on-build", folder.path());
    wait_for(&mut child, "ready");
    let began = Instant::now();
    let patient = cache.clone().with_patience(Duration::from_millis(150));
    let error = patient.file("blob", &key(1), |out| write_file(out, 1)).unwrap_err();
    assert!(matches!(error, Error::Busy { .. }), "{error}");
    assert!(began.elapsed() >= Duration::from_millis(150) && began.elapsed() < Duration::from_secs(5));
    // Other entries are not in its way.
    build_file(&cache, 2);
    // Dead, it is in nobody's way.
    child.kill().unwrap();
    child.wait().unwrap();
    let began = Instant::now();
    assert_eq!(build_file(&cache, 1).origin(), &Origin::Built);
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_killed_builder_leaves_nothing_in_the_way() {
    // Most rounds are on a disk in memory where there is one: there, a process does more between being started and being killed.
    let (memory, disk) = (tempfile::tempdir_in("/dev/shm"), tempfile::tempdir().unwrap());
    let (mut random, mut unfinished) = (Random::new(83), 0);
    for round in 0..200 {
        let folder = memory.as_ref().ok().filter(|_| round % 20 != 0).unwrap_or(&disk);
        let mut child = spawn("build-forever", folder.path());
        wait_for(&mut child, "ready");
        std::thread::sleep(Duration::from_micros(random.below(15_000)));
        // SIGKILL.
        child.kill().unwrap();
        child.wait().unwrap();
        unfinished += usize::from(!leftovers(folder.path()).is_empty());
        let cache = open(folder.path()).with_patience(Duration::from_secs(5));
        let verified = cache.verify().unwrap();
        assert_eq!(verified.broken, [], "round {round}");
        for number in 0..3 {
            check_file(&build_file(&cache, number), number);
            check_dir(&build_dir(&cache, number), number);
        }
        assert_eq!(cache.counters().rebuilt, 0);
        cache.clean().unwrap();
        nothing_left(folder.path(), || cache.clean().unwrap());
    }
    assert!(
        unfinished > 20,
        "only {unfinished} of the builders were killed in the middle of something"
    );
}

#[test]
fn a_builder_that_fails_or_panics_publishes_nothing() {
    let (folder, cache) = cache();
    #[derive(Debug)]
    enum Own {
        Cache,
        Failed,
    }
    impl From<Error> for Own {
        fn from(_: Error) -> Own {
            Own::Cache
        }
    }
    let failed = cache.file("blob", &key(1), |out| {
        out.write_all(b"half").unwrap();
        Err(Own::Failed)
    });
    assert!(matches!(failed, Err(Own::Failed)));
    let failed = cache.dir("tree", &key(1), |out| {
        out.file("half", b"half")?;
        Err(Own::Failed)
    });
    assert!(matches!(failed, Err(Own::Failed)));
    assert!(matches!(cache.file("No Kind", &key(1), |_| Ok(())), Err(Own::Cache)));
    for kind in ["", "..", "a/b", ".trash", "A", &"k".repeat(33)] {
        assert!(
            matches!(cache.dir(kind, &key(1), |_| Ok::<(), Error>(())), Err(Error::Kind(_))),
            "{kind}"
        );
    }
    let panicked = std::panic::catch_unwind(|| {
        let _ = cache.file("blob", &key(1), |out| -> Result<(), Error> {
            out.write_all(b"half").unwrap();
            std::panic::resume_unwind(Box::new("on purpose"))
        });
    });
    assert!(panicked.is_err());
    assert_eq!(leftovers(folder.path()), Vec::<std::path::PathBuf>::new());
    assert_eq!(cache.info().unwrap().kinds, []);
    assert_eq!(build_file(&cache, 1).origin(), &Origin::Built);
    assert_eq!(build_dir(&cache, 1).origin(), &Origin::Built);
}
