//! What the tests share.

pub(crate) use crate::random::Random;
use prims_cache::{Cache, Cleaned, DirEntry, DirWriter, Error, FileEntry, Key, Origin};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A cache in a folder of its own.
pub(crate) fn cache() -> (tempfile::TempDir, Cache) {
    let folder = tempfile::tempdir().unwrap();
    let cache = open(folder.path());
    (folder, cache)
}

pub(crate) fn open(folder: &Path) -> Cache {
    Cache::open(Some(folder)).unwrap()
}

pub(crate) fn key(number: u32) -> Key {
    Key::new("test").with("number", &number.to_le_bytes())
}

/// What the file entry with a number holds: data, a hole, data, a hole, and a length that is no multiple of anything.
pub(crate) fn payload(number: u32) -> (Vec<u8>, u64, Vec<u8>, u64) {
    let mut random = Random::new(u64::from(number) + 1);
    (random.bytes(70_000), 300_000, random.bytes(5_000), 400_001)
}

pub(crate) fn build_file(cache: &Cache, number: u32) -> FileEntry {
    cache.file("blob", &key(number), |out| write_file(out, number)).unwrap()
}

pub(crate) fn write_file(out: &mut prims_cache::EntryWriter, number: u32) -> Result<(), Error> {
    let (first, at, second, len) = payload(number);
    out.write_all(&first).unwrap();
    out.write_all_at(&second, at).unwrap();
    out.set_len(len).unwrap();
    out.set_metadata(format!("{{\"number\":{number}}}").into_bytes());
    Ok(())
}

/// Whether a file entry is what `build_file` builds.
pub(crate) fn check_file(entry: &FileEntry, number: u32) {
    let (first, at, second, len) = payload(number);
    let mut expected = first;
    expected.resize(at as usize, 0);
    expected.extend(second);
    expected.resize(len as usize, 0);
    assert_eq!(entry.payload_len(), len);
    assert!(entry.read().unwrap() == expected);
    assert_eq!(entry.metadata(), format!("{{\"number\":{number}}}").as_bytes());
}

pub(crate) fn build_dir(cache: &Cache, number: u32) -> DirEntry {
    cache.dir("tree", &key(number), |out| write_dir(out, number)).unwrap()
}

pub(crate) fn tree(number: u32) -> Vec<(String, Vec<u8>)> {
    let mut random = Random::new(u64::from(number) + 1);
    let file = |i: u64| {
        (
            format!("package{}/part {i}/module.py", i % 3),
            random.bytes(50 * i as usize),
        )
    };
    (0..12).map(file).collect()
}

pub(crate) fn write_dir(out: &mut DirWriter, number: u32) -> Result<(), Error> {
    for (path, content) in tree(number) {
        out.file(&path, &content)?;
    }
    out.folder("empty/er")?;
    out.set_metadata(number.to_string().into_bytes());
    Ok(())
}

pub(crate) fn check_dir(entry: &DirEntry, number: u32) {
    for (path, content) in tree(number) {
        assert!(std::fs::read(entry.path().join(path)).unwrap() == content);
    }
    assert!(entry.path().join("empty/er").is_dir());
    assert_eq!(entry.metadata(), number.to_string().as_bytes());
}

/// Where an entry lies on the disk.
pub(crate) fn on_disk(folder: &Path, kind: &str, number: u32) -> PathBuf {
    folder
        .canonicalize()
        .unwrap()
        .join("v1")
        .join(kind)
        .join(key(number).hex())
}

pub(crate) fn is_rebuilt(origin: &Origin) -> bool {
    matches!(origin, Origin::Rebuilt(_))
}

/// Everything in a folder that is not an entry or a lock: nothing may be left behind.
pub(crate) fn leftovers(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for kind in std::fs::read_dir(folder.join("v1")).unwrap() {
        for entry in std::fs::read_dir(kind.unwrap().path()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let is_ours = name.len() == 64 || (name.len() == 69 && name.ends_with(".lock"));
            if !is_ours {
                found.push(path);
            }
        }
    }
    found
}

/// Cleans until no more entries than these are in use, and adds up what was done: a process that a test beside this one is starting
/// holds copies of our descriptors, and with them their locks, for a moment.
pub(crate) fn settled(in_use: u64, clean: impl Fn() -> Cleaned) -> Cleaned {
    let mut all = clean();
    for _ in 0..100 {
        if all.in_use <= in_use {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
        let more = clean();
        all = Cleaned {
            removed: all.removed + more.removed,
            bytes: all.bytes + more.bytes,
            in_use: more.in_use,
        };
    }
    all
}

/// Fails if anything but entries and locks stays in the folder, however often it is tidied.
pub(crate) fn nothing_left(folder: &Path, tidy: impl Fn() -> Cleaned) {
    let mut left = leftovers(folder);
    for _ in 0..100 {
        if left.is_empty() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
        tidy();
        left = leftovers(folder);
    }
    panic!("{left:?} stays");
}
