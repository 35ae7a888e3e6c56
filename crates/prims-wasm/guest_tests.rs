//! The embedded files unpack to what they were made from, and damage is noticed when the program is built and when it runs.

#![allow(clippy::unwrap_used)]

use super::embed::Manifest;
use super::*;
use std::path::Path;

fn cache() -> (tempfile::TempDir, Cache) {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(Some(folder.path())).unwrap();
    (folder, cache)
}

/// A zstd frame with one uncompressed block.
fn frame(content: &[u8]) -> Vec<u8> {
    assert!(content.len() < 128 << 10);
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xa0];
    frame.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
    frame.extend(&((content.len() as u32) << 3 | 1).to_le_bytes()[..3]);
    frame.extend(content);
    frame
}

fn guest_file(bytes: &'static [u8], unpacked: &[u8]) -> GuestFile {
    let digest = Box::leak(hex(&Sha256::digest(unpacked)).into_boxed_str());
    let kind = GuestKind::Stdlib;
    GuestFile {
        name: "x",
        kind,
        bytes,
        sha256: "",
        unpacked_sha256: digest,
        unpacked_size: unpacked.len() as u64,
    }
}

#[test]
fn the_interpreter_unpacks() {
    let module = module().unwrap();
    assert!(module.starts_with(b"\0asm"));
    assert_eq!(hex(&Sha256::digest(&module)), module_digest());
}

#[test]
fn the_standard_library_unpacks_once() {
    let (_folder, cache) = cache();
    let stdlib = stdlib(&cache).unwrap();
    assert!(stdlib.join("os.py").is_file() && stdlib.join("prims_runtime").is_dir());
    assert_eq!(super::stdlib(&cache).unwrap(), stdlib);
    assert_eq!((cache.counters().built, cache.counters().found), (1, 1));
    // It is in use, so it is not cleaned away.
    assert_eq!(cache.clean().unwrap().removed, 0);
}

#[test]
fn the_root_is_empty_folders_and_an_empty_file() {
    let (_folder, cache) = cache();
    let root = skeleton(&cache).unwrap();
    for folder in SKELETON {
        assert_eq!(std::fs::read_dir(root.join(folder)).unwrap().count(), 0);
    }
    assert_eq!(std::fs::read(root.join(NULL)).unwrap(), b"");
    // The folder of that file is the one more.
    assert_eq!(std::fs::read_dir(root).unwrap().count(), SKELETON.len() + 1);
}

#[test]
fn the_wheels_install() {
    let (_folder, cache) = cache();
    let target = prims_packages::Target::cpython(python()).unwrap();
    assert_eq!(target, prims_packages::Target::default());
    let index = prims_packages::BundledIndex::for_target(target, &wheels()).unwrap();
    let names: Vec<String> = index.packages().into_iter().map(|(name, _)| name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let resolved = index
        .resolve(&prims_packages::Requirements::parse(&names).unwrap())
        .unwrap()
        .unwrap();
    let environment = prims_packages::install(&cache, &resolved).unwrap();
    assert_eq!(environment.packages, index.packages());
    for name in &environment.top_level {
        assert!(environment.path.join(name).exists() || environment.path.join(format!("{name}.py")).exists());
    }
}

#[test]
fn unpacking_notices_damage() {
    let packed: &'static [u8] = frame(b"hello").leak();
    assert_eq!(unpack(&guest_file(packed, b"hello")).unwrap(), b"hello");
    for unpacked in [&b"hellx"[..], b"hell", b"hello!", b""] {
        assert!(unpack(&guest_file(packed, unpacked)).is_err(), "{unpacked:?}");
    }
    for cut in 0..packed.len() {
        assert!(unpack(&guest_file(&packed[..cut], b"hello")).is_err(), "{cut}");
    }
}

#[test]
fn archives_with_anything_but_files_and_folders_are_refused() {
    let (_folder, cache) = cache();
    let attempt = |name: &str, kind: tar::EntryType, link: Option<&str>| {
        let mut header = tar::Header::new_ustar();
        // Written by hand, because the library does not write bad paths.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(0);
        if let Some(link) = link {
            header.set_link_name_literal(link).unwrap();
        }
        header.set_cksum();
        let archive: Vec<u8> = [header.as_bytes().as_slice(), &[0; 1024]].concat();
        let file = guest_file(frame(&archive).leak(), &archive);
        let key = Key::new("test").with("archive", &archive);
        cache
            .dir("test", &key, |writer| unpack_tree(&file, writer, |_| true))
            .map(|entry| entry.path().to_owned())
    };
    use tar::EntryType;
    assert!(
        attempt("a/b.py", EntryType::Regular, None)
            .unwrap()
            .join("a/b.py")
            .is_file()
    );
    assert!(
        attempt("a/b/", EntryType::Directory, None)
            .unwrap()
            .join("a/b")
            .is_dir()
    );
    for path in ["../x", "/x", "a/../../x", "a\\b", "a//b", "a/./b"] {
        assert!(attempt(path, EntryType::Regular, None).is_err(), "{path}");
    }
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::GNUSparse,
    ] {
        assert!(attempt("x", kind, Some("y")).is_err(), "{kind:?}");
    }
}

#[test]
fn the_build_script_notices_damage() {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join(embed::DIST);
    let manifest = Manifest::read(&dist).unwrap();
    manifest.verify(&dist).unwrap();
    assert_eq!(
        manifest.table(),
        include_str!(concat!(env!("OUT_DIR"), "/guest_files.rs"))
    );

    let copy = tempfile::tempdir().unwrap();
    let error = |copy: &Path| {
        Manifest::read(copy)
            .and_then(|manifest| manifest.verify(copy))
            .unwrap_err()
    };
    assert!(error(copy.path()).contains("python-wasm/build"));
    let text = std::fs::read_to_string(dist.join(embed::MANIFEST)).unwrap();
    std::fs::write(copy.path().join(embed::MANIFEST), &text).unwrap();
    assert!(error(copy.path()).contains("cannot read python-wasm/dist/"));
    for file in &manifest.files {
        std::fs::copy(dist.join(&file.name), copy.path().join(&file.name)).unwrap();
    }
    manifest.verify(copy.path()).unwrap();
    let name = &manifest.files[0].name;
    let mut bytes = std::fs::read(dist.join(name)).unwrap();
    bytes[100] ^= 1;
    std::fs::write(copy.path().join(name), &bytes).unwrap();
    assert!(error(copy.path()).contains("has sha256"));
    bytes.pop();
    std::fs::write(copy.path().join(name), &bytes).unwrap();
    assert!(error(copy.path()).contains("bytes long"));
    for (from, to) in [
        ("\"version\": 1", "\"version\": 2"),
        ("\"module\"", "\"wheel\""),
        ("\"stdlib\"", "\"other\""),
        (name, "../x"),
    ] {
        std::fs::write(copy.path().join(embed::MANIFEST), text.replacen(from, to, 1)).unwrap();
        assert!(Manifest::read(copy.path()).is_err(), "{from} -> {to}");
    }
}
