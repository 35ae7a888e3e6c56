//! Rows 20 and 21 of the abuse cases: how much a directory may hold.

use std::sync::Arc;

use super::harness::*;
use crate::wasi::abi::{Errno, bits};

const FULL: Answer<u32> = Err(Errno::Nospc);

#[test]
fn bytes_are_counted_before_they_are_written() {
    let host = Host::with_quota(100_000, 10);
    let mut guest = host.guest();
    let file = guest.create(WORK, "file").unwrap();
    assert_eq!(guest.write(file, &[1; 60_000]), Ok(60_000));
    assert_eq!(guest.write(file, &[1; 40_001]), FULL);
    assert_eq!(guest.fstat(file).unwrap().size, 60_000);
    assert_eq!(guest.write(file, &[1; 40_000]), Ok(40_000));
    // Writing over what is there costs nothing.
    assert_eq!(guest.pwrite(file, &[2; 50_000], 50_000), Ok(50_000));
    assert_eq!(guest.pwrite(file, &[2; 2], 99_999), FULL);
    let other = guest.create(WORK, "other").unwrap();
    assert_eq!(guest.write(other, b"x"), FULL);
    // The other mount has its own.
    let elsewhere = guest.create(OTHER, "file").unwrap();
    assert_eq!(guest.write(elsewhere, &[1; 100_000]), Ok(100_000));
    // Truncating makes room, by size and by flag.
    guest.ask("fd_filestat_set_size", &[file.into(), 99_999]).unwrap();
    assert_eq!(guest.write(other, b"x"), Ok(1));
    assert_eq!(guest.write(other, b"x"), FULL);
    guest.open(WORK, "file", bits::O_TRUNC, WRITE).unwrap();
    assert_eq!(guest.write(other, &[1; 99_999]), Ok(99_999));
    assert_eq!(guest.write(other, b"x"), FULL);
    guest.unlink(WORK, "file").unwrap();
    assert_eq!(guest.write(other, b"x"), FULL);
}

/// A file is as large as its end, however little is in it.
#[test]
fn sparse_files_cost_what_they_seem() {
    let host = Host::with_quota(100_000, 10);
    let mut guest = host.guest();
    let file = guest.create(WORK, "file").unwrap();
    assert_eq!(guest.pwrite(file, b"x", 99_999), Ok(1));
    let other = guest.create(WORK, "other").unwrap();
    assert_eq!(guest.write(other, b"x"), FULL);
    for size in [1, 100_001, 1 << 40, 1 << 62, i64::MAX] {
        assert_eq!(
            guest.ask("fd_filestat_set_size", &[other.into(), size]),
            Err(Errno::Nospc)
        );
        assert_eq!(guest.ask("fd_allocate", &[other.into(), 0, size]), Err(Errno::Nospc));
        assert_eq!(guest.pwrite(other, b"x", size as u64 - 1), FULL);
    }
    for size in [-1, i64::MIN] {
        assert_eq!(
            guest.ask("fd_filestat_set_size", &[other.into(), size]),
            Err(Errno::Fbig)
        );
        assert_eq!(guest.ask("fd_allocate", &[other.into(), 1, size]), Err(Errno::Fbig));
        assert_eq!(guest.pwrite(other, b"x", size as u64), Err(Errno::Fbig));
    }
    assert_eq!(guest.ask("fd_allocate", &[other.into(), -1, -1]), Err(Errno::Fbig));
    assert_eq!(guest.ask("fd_allocate", &[other.into(), 0, 0]), Err(Errno::Inval));
    assert_eq!(guest.seek(other, 1 << 62, 0), Ok(1 << 62));
    assert_eq!(guest.write(other, b"x"), FULL);
    assert_eq!(guest.read(other, 10), Ok(Vec::new()));
    assert_eq!(guest.seek(other, i64::MAX, 0), Ok(i64::MAX as u64));
    assert_eq!(guest.write(other, b"x"), Err(Errno::Fbig));
    assert_eq!(guest.read(other, 10), Ok(Vec::new()));
    assert_eq!(guest.seek(other, 1, 1), Err(Errno::Inval));
    assert_eq!(guest.pread(other, 10, u64::MAX), Ok(Vec::new()));
    assert_eq!(guest.fstat(other).unwrap().size, 0);
}

#[test]
fn names_are_counted() {
    let host = Host::with_quota(1 << 20, 6);
    let mut guest = host.guest();
    guest.create(WORK, "file").unwrap();
    guest.mkdir(WORK, "d").unwrap();
    guest.create(WORK, "d/file").unwrap();
    guest.link(WORK, "file", WORK, "link").unwrap();
    guest.symlink("file", WORK, "symlink").unwrap();
    // Opening what is there, and failing, costs nothing.
    for _ in 0..10 {
        let fd = guest.create(WORK, "file").unwrap();
        guest.close(fd).unwrap();
        let fd = guest.create(WORK, "symlink").unwrap();
        guest.close(fd).unwrap();
        assert_eq!(guest.open(WORK, "none/file", bits::O_CREAT, WRITE), Err(Errno::Noent));
        assert_eq!(
            guest.open(WORK, "file", bits::O_CREAT | bits::O_EXCL, WRITE),
            Err(Errno::Exist)
        );
        assert_eq!(guest.mkdir(WORK, "d"), Err(Errno::Exist));
        assert_eq!(guest.symlink("x", WORK, "d"), Err(Errno::Exist));
        assert_eq!(guest.link(WORK, "file", WORK, "d"), Err(Errno::Exist));
        assert_eq!(guest.link(WORK, "none", WORK, "new"), Err(Errno::Noent));
    }
    guest.create(WORK, "last").unwrap();
    assert_eq!(guest.create(WORK, "more"), FULL);
    assert_eq!(guest.mkdir(WORK, "more"), Err(Errno::Nospc));
    assert_eq!(guest.link(WORK, "file", WORK, "more"), Err(Errno::Nospc));
    assert_eq!(guest.symlink("file", WORK, "more"), Err(Errno::Nospc));
    guest.rename(WORK, "last", WORK, "moved").unwrap();
    assert_eq!(guest.create(WORK, "more"), FULL);
    guest.unlink(WORK, "link").unwrap();
    guest.create(WORK, "more").unwrap();
    assert_eq!(guest.create(WORK, "and more"), FULL);
    guest.rename(WORK, "more", WORK, "moved").unwrap();
    // What was replaced is still open.
    assert_eq!(guest.mkdir(WORK, "and more"), Err(Errno::Nospc));
    assert_eq!(std::fs::read_dir(host.work()).unwrap().count(), 4);
}

/// A file that has no name any more takes up room until it is closed.
#[test]
fn removed_files_count_while_they_are_open() {
    let host = Host::with_quota(100_000, 200);
    let mut guest = host.guest();
    let mut open = Vec::new();
    for index in 0..10 {
        let file = guest.create(WORK, "file").unwrap();
        let written = guest.write(file, &[1; 30_000]);
        assert_eq!(written, if index < 3 { Ok(30_000) } else { FULL });
        guest.unlink(WORK, "file").unwrap();
        open.push(file);
    }
    // Another run on the same directory is no way around it.
    let mut second = Guest::new(host.spec());
    let file = second.create(WORK, "second").unwrap();
    assert_eq!(second.write(file, &[1; 30_000]), FULL);
    guest.close(open[0]).unwrap();
    assert_eq!(second.write(file, &[1; 30_000]), Ok(30_000));
    drop(guest);
    assert_eq!(second.write(file, &[1; 70_000]), Ok(70_000));
}

#[test]
fn what_was_there_before_counts() {
    let host = Host::with_quota(100_000, 4);
    std::fs::create_dir(host.work().join("d")).unwrap();
    std::fs::write(host.work().join("d/file"), vec![1; 90_000]).unwrap();
    std::os::unix::fs::symlink("/dev/zero", host.work().join("d/link")).unwrap();
    let mut guest = host.guest();
    let file = guest.create(WORK, "file").unwrap();
    assert_eq!(guest.create(WORK, "more"), FULL);
    assert_eq!(guest.write(file, &[1; 10_000]), Ok(10_000));
    assert_eq!(guest.write(file, b"x"), FULL);

    // A directory that is beyond its quota from the start can be read and emptied.
    let host = Host::with_quota(100, 3);
    for name in ["a", "b", "c", "d", "e"] {
        std::fs::write(host.work().join(name), "x").unwrap();
    }
    let mut guest = host.guest();
    assert_eq!(guest.create(WORK, "f"), FULL);
    let file = guest.create(WORK, "a").unwrap();
    assert_eq!(guest.pwrite(file, b"y", 0), Ok(1));
    assert_eq!(guest.write(file, b"yy"), FULL);
    for name in ["b", "c", "d"] {
        guest.unlink(WORK, name).unwrap();
    }
    guest.create(WORK, "f").unwrap();
    assert_eq!(guest.create(WORK, "g"), FULL);
}

#[test]
fn runs_that_share_a_directory_share_its_quota() {
    let host = Host::with_quota(1_000_000, 1000);
    let work = host.work();
    for round in 0..40 {
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let spec = host.spec();
                scope.spawn(move || {
                    let mut guest = Guest::new(spec);
                    for step in 0..20 {
                        let name = format!("{thread}-{}", step % 5);
                        let Ok(file) = guest.create(WORK, &name) else { continue };
                        let _ = guest.write(file, &[1; 200_000]);
                        if (step + round) % 3 == 0 {
                            let _ = guest.unlink(WORK, &name);
                        }
                        let _ = guest.close(file);
                    }
                });
            }
        });
        let total = || -> u64 {
            let entries = std::fs::read_dir(&work).unwrap();
            entries.map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
        };
        assert!(total() <= 1_000_000, "{}", total());
        // Nothing was lost either: there is room for as much as was removed last, and not for more.
        let mut guest = host.guest();
        for name in ["a", "b", "c", "d", "e", "f"] {
            let Ok(file) = guest.create(WORK, name) else { break };
            let _ = guest.write(file, &[1; 200_000]);
            guest.close(file).unwrap();
        }
        assert_eq!(total(), 1_000_000);
        for name in ["a", "b", "c", "d", "e", "f"] {
            let _ = guest.unlink(WORK, name);
        }
    }
    assert_eq!(Arc::strong_count(&host.quota), 1);
}

/// Directories cannot be nested so deep that a walk over them is trouble for the host.
#[test]
fn depth_is_bounded() {
    let host = Host::with_quota(1 << 20, 10_000);
    let mut guest = host.guest();
    let mut at = WORK;
    let mut depth = 0;
    let error = loop {
        match guest.mkdir(at, "d") {
            Ok(()) => depth += 1,
            Err(error) => break error,
        }
        let below = guest.open(at, "d", bits::O_DIRECTORY, READ).unwrap();
        if at != WORK {
            guest.close(at).unwrap();
        }
        at = below;
    };
    assert_eq!((depth, error), (64, Errno::Mlink));
    // A file fits in there, but moving directories is no way around the bound.
    guest.create(at, "file").unwrap();
    guest.mkdir(WORK, "other").unwrap();
    guest.mkdir(WORK, "other/below").unwrap();
    assert_eq!(guest.rename(WORK, "other", at, "deep"), Err(Errno::Mlink));
    let long = vec!["d"; 62].join("/");
    assert_eq!(guest.rename(WORK, "other", WORK, &format!("{long}/e")), Ok(()));
    guest.rename(WORK, &format!("{long}/e"), WORK, "other").unwrap();
    assert_eq!(
        guest.rename(WORK, "other", WORK, &format!("{long}/d/e")),
        Err(Errno::Mlink)
    );
    guest.symlink("d/d/d", WORK, "s").unwrap();
    assert_eq!(
        guest.mkdir(WORK, &format!("s/{}", vec!["d"; 61].join("/") + "/e")),
        Err(Errno::Mlink)
    );
    // The quota still knows what is in there.
    let quota = Arc::new(crate::wasi::Quota::new(1 << 20, 67));
    let mut spec = host.spec();
    let mut mounts = spec.mounts.to_vec();
    mounts[1].access = crate::wasi::Access::Writable(quota);
    spec.mounts = mounts.into();
    assert_eq!(Guest::new(spec).create(WORK, "new"), FULL);
    std::fs::remove_dir_all(host.work()).unwrap();
}
