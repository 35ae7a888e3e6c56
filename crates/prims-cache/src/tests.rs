//! Every operation that changes the disk fails once: what comes is an error, never half an entry.

use crate::{Cache, Error, Origin, sys};
use rustix::io::Errno;
use std::io::Write;

fn build(cache: &Cache) -> Result<(), Error> {
    let file = cache.file("blob", &crate::Key::new("1"), |out| {
        // A builder that does not look at what its writes return.
        let _ = out.write_all(&[1; 100_000]);
        let _ = out.set_len(200_000);
        out.set_metadata(b"{}".to_vec());
        Ok::<(), Error>(())
    })?;
    assert_eq!(file.payload_len(), 200_000);
    assert_eq!(file.read().unwrap().iter().filter(|byte| **byte == 1).count(), 100_000);
    let dir = cache.dir("tree", &crate::Key::new("1"), |out| {
        let _ = out.folder("a");
        let _ = out.file("a/b", b"b");
        let _ = out.file("c", b"c");
        Ok::<(), Error>(())
    })?;
    assert_eq!(std::fs::read(dir.path().join("a/b")).unwrap(), b"b");
    assert_eq!(std::fs::read(dir.path().join("c")).unwrap(), b"c");
    Ok(())
}

fn leftovers(cache: &Cache) -> usize {
    let names = |path: &std::path::Path| {
        std::fs::read_dir(path)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
    };
    let kinds = ["blob", "tree"]
        .into_iter()
        .flat_map(|kind| names(&cache.shared.entries.join(kind)).collect::<Vec<_>>());
    kinds
        .filter(|path| path.extension().is_some_and(|extension| extension == "tmp"))
        .count()
}

#[test]
fn any_operation_may_fail() {
    // Nothing here is about the disk itself, so memory will do where it can be had.
    let folder = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap();
    let open = || Cache::open(Some(folder.path())).unwrap();
    let cache = open();
    let operations = sys::count_operations(|| build(&cache).unwrap());
    assert!(operations > 15, "{operations}");
    for errno in [Errno::NOSPC, Errno::IO, Errno::ROFS, Errno::ACCESS, Errno::DQUOT] {
        for index in 0..operations {
            open().clean().unwrap();
            let cache = open();
            let result = sys::fail_at(index, errno.raw_os_error(), || build(&cache));
            let error = result
                .err()
                .unwrap_or_else(|| panic!("operation {index} failed and nobody said so"));
            match errno {
                Errno::NOSPC | Errno::DQUOT => assert!(matches!(error, Error::NoSpace { .. }), "{index}: {error:?}"),
                Errno::ROFS | Errno::ACCESS => assert!(matches!(error, Error::ReadOnly { .. }), "{index}: {error:?}"),
                _ => assert!(matches!(error, Error::Io { .. }), "{index}: {error:?}"),
            }
            assert_eq!(error.hint().is_some(), errno != Errno::IO);
            assert_eq!(leftovers(&cache), 0);
            let verified = cache.verify().unwrap();
            assert_eq!(verified.broken, []);
            build(&cache).unwrap();
            assert_eq!(cache.counters().rebuilt, 0);
        }
    }
}

#[test]
fn opening_says_what_failed() {
    let folder = tempfile::tempdir().unwrap();
    let operations = sys::count_operations(|| drop(Cache::open(Some(folder.path())).unwrap()));
    for index in 0..operations {
        let folder = tempfile::tempdir().unwrap();
        let result = sys::fail_at(index, Errno::ROFS.raw_os_error(), || Cache::open(Some(folder.path())));
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Unwritable { .. }), "{error:?}");
        assert!(error.hint().unwrap().contains("PRIMS_CACHE_DIR"));
    }
}

#[test]
fn a_broken_entry_that_cannot_be_removed_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(Some(folder.path())).unwrap();
    build(&cache).unwrap();
    let entry = cache.shared.entries.join("blob").join(crate::Key::new("1").hex());
    std::fs::remove_file(&entry).unwrap();
    std::fs::write(&entry, "x").unwrap();
    let operations = sys::count_operations(|| ());
    assert_eq!(operations, 0);
    for index in 0..6 {
        let result = sys::fail_at(index, Errno::IO.raw_os_error(), || build(&cache));
        assert!(result.is_err());
    }
    let file = cache
        .file("blob", &crate::Key::new("1"), |_| Ok::<(), Error>(()))
        .unwrap();
    assert!(matches!(file.origin(), Origin::Rebuilt(_) | Origin::Built));
}
