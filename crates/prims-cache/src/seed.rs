//! Entries that came with the program: built ahead of time, for machines like the one they were built on.
//!
//! A seed is a folder with file entries as the cache has them, `<folder>/<kind>/<key>`. The cache takes an entry over when it is first asked for it: it
//! copies the file to its own place and verifies the copy as it verifies everything it opens. Nothing is ever used where the seed lies.

use crate::key::{Id, hex};
use crate::sys;
use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder of entries that came with the program. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Seed(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    /// Who can write the program.
    program: Writers,
}

/// Who, besides the superuser, can write a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Writers {
    user: u32,
    group: Option<u32>,
    everybody: bool,
}

impl Writers {
    fn of(found: &Metadata) -> Writers {
        Writers {
            user: found.uid(),
            group: (found.mode() & 0o020 != 0).then(|| found.gid()),
            everybody: found.mode() & 0o002 != 0,
        }
    }

    /// Whether none of them is somebody who could not replace the program anyway.
    fn are_trusted(self, program: Writers) -> bool {
        let is_owner = self.user == sys::user() || self.user == 0;
        is_owner && !self.everybody && (self.group.is_none() || self.group == program.group)
    }
}

impl Seed {
    /// The entries in `folder`. `program` is a file of the program that they came with: what people can write who cannot write that file, or what everybody
    /// can write, is not taken. `None` if there is no such folder or the rule is broken for the folder itself.
    pub fn open(folder: &Path, program: &Path) -> Option<Seed> {
        let program = Writers::of(&program.metadata().ok()?);
        let found = folder.symlink_metadata().ok()?;
        (found.is_dir() && Writers::of(&found).are_trusted(program)).then(|| {
            Seed(Arc::new(Shared {
                folder: folder.to_owned(),
                program,
            }))
        })
    }

    /// The file of an entry, if there is one that may be taken.
    pub(crate) fn entry(&self, kind: &str, id: &Id) -> Option<File> {
        let file = sys::open(&self.0.folder.join(kind).join(hex(id))).ok()?;
        let found = file.metadata().ok()?;
        (found.is_file() && Writers::of(&found).are_trusted(self.0.program)).then_some(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cache, Error, Key, Origin};
    use std::os::unix::fs::PermissionsExt;

    /// A package: a program, and a seed with one entry.
    struct Package {
        folder: tempfile::TempDir,
        key: Key,
    }

    impl Package {
        fn new() -> Package {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("program"), "").unwrap();
            let package = Package {
                key: Key::new("seed test"),
                folder,
            };
            package.mode("program", 0o755);
            let built = Cache::open(Some(&package.folder.path().join("built"))).unwrap();
            let entry = built.file("code", &package.key, |out| {
                out.set_metadata(b"metadata".into());
                out.write_all_at(&[7; 100_000], 0)
                    .map_err(|error| Error::on("write", Path::new("x"))(error))
            });
            drop(entry.unwrap());
            let seed = package.folder.path().join("seed/code");
            std::fs::create_dir_all(&seed).unwrap();
            let from = package.folder.path().join("built/v1/code").join(package.key.hex());
            std::fs::copy(from, seed.join(package.key.hex())).unwrap();
            for (path, mode) in [("seed", 0o755), ("seed/code", 0o755)] {
                package.mode(path, mode);
            }
            package.mode(&package.entry(), 0o644);
            package
        }

        fn entry(&self) -> String {
            format!("seed/code/{}", self.key.hex())
        }

        fn mode(&self, path: &str, mode: u32) {
            std::fs::set_permissions(self.folder.path().join(path), std::fs::Permissions::from_mode(mode)).unwrap();
        }

        fn seed(&self) -> Option<Seed> {
            Seed::open(&self.folder.path().join("seed"), &self.folder.path().join("program"))
        }

        /// Asks an empty cache for the entry: its origin and the first byte of its payload.
        fn ask(&self) -> (Origin, u8) {
            let cache = tempfile::tempdir().unwrap();
            let mut cache = Cache::open(Some(cache.path())).unwrap();
            if let Some(seed) = self.seed() {
                cache = cache.with_seed(seed);
            }
            let build = |out: &mut crate::EntryWriter| {
                out.write_all_at(&[9; 10], 0)
                    .map_err(|error| Error::on("write", Path::new("x"))(error))
            };
            let entry = cache.file("code", &self.key, build).unwrap();
            let payload = entry.read().unwrap();
            if entry.origin() == &Origin::Seeded {
                assert_eq!((entry.metadata(), payload.len()), (&b"metadata"[..], 100_000));
                assert_eq!(entry.file().metadata().unwrap().mode() & 0o7777, 0o444);
            }
            // What was taken over is there the next time, too.
            assert_eq!(cache.file("code", &self.key, build).unwrap().origin(), &Origin::Found);
            (entry.origin().clone(), payload[0])
        }
    }

    #[test]
    fn an_entry_is_taken_over_and_an_unknown_one_is_built() {
        let mut package = Package::new();
        assert_eq!(package.ask(), (Origin::Seeded, 7));
        package.key = Key::new("another");
        assert_eq!(package.ask(), (Origin::Built, 9));
    }

    #[test]
    fn what_others_can_write_is_not_taken() {
        for path in ["seed".to_owned(), Package::new().entry()] {
            for mode in [0o777, 0o757, 0o775] {
                let package = Package::new();
                package.mode(&path, mode);
                assert_eq!(package.ask(), (Origin::Built, 9), "{path} {mode:o}");
            }
        }
        // Whoever can write the program need not write its seed to have their way; everybody is another matter.
        let package = Package::new();
        package.mode("program", 0o775);
        package.mode(&package.entry(), 0o664);
        assert_eq!(package.ask(), (Origin::Seeded, 7));
        package.mode("program", 0o777);
        package.mode(&package.entry(), 0o666);
        assert_eq!(package.ask(), (Origin::Built, 9));
    }

    #[test]
    fn holes_that_were_filled_are_holes_again() {
        let package = Package::new();
        let (key, len) = (Key::new("sparse"), 4 << 20);
        let built = Cache::open(Some(&package.folder.path().join("built"))).unwrap();
        let write = |out: &mut crate::EntryWriter| {
            out.write_all_at(&[1; 10], len - 10)
                .map_err(|error| Error::on("write", Path::new("x"))(error))
        };
        let entry = built.file("code", &key, write).unwrap();
        let mut whole = entry.read().unwrap();
        let path = package.folder.path().join("built/v1/code").join(key.hex());
        let seed = package.folder.path().join("seed/code").join(key.hex());
        std::fs::write(&seed, std::fs::read(path).unwrap()).unwrap();
        std::fs::set_permissions(&seed, std::fs::Permissions::from_mode(0o644)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(folder.path()))
            .unwrap()
            .with_seed(package.seed().unwrap());
        let copy = cache.file("code", &key, write).unwrap();
        assert_eq!(copy.origin(), &Origin::Seeded);
        assert!(copy.file().metadata().unwrap().blocks() * 512 < len / 2);
        assert!(whole.drain(..).eq(copy.read().unwrap()));
    }

    #[test]
    fn a_disk_that_fails_leaves_nothing_in_the_way() {
        let package = Package::new();
        let ask = |folder: &Path| -> Result<(u8, bool), Error> {
            let cache = Cache::open(Some(folder))?.with_seed(package.seed().unwrap());
            let entry = cache.file("code", &package.key, |_| Ok::<(), Error>(()))?;
            let seeded = matches!(entry.origin(), Origin::Seeded | Origin::Found);
            Ok((entry.read().unwrap()[0], seeded))
        };
        let folder = tempfile::tempdir().unwrap();
        let operations = sys::count_operations(|| assert_eq!(ask(folder.path()).unwrap(), (7, true)));
        assert!(operations > 5);
        for index in 0..operations {
            let folder = tempfile::tempdir().unwrap();
            let no_space = rustix::io::Errno::NOSPC.raw_os_error();
            let failed = sys::fail_at(index, no_space, || ask(folder.path()));
            assert!(failed.is_err() || failed.unwrap() == (7, true), "operation {index}");
            assert_eq!(ask(folder.path()).unwrap(), (7, true), "after operation {index}");
        }
    }

    #[test]
    fn links_and_what_does_not_verify_are_not_taken() {
        let package = Package::new();
        let path = package.folder.path().join(package.entry());
        let whole = std::fs::read(&path).unwrap();
        for at in [0, 99_999, whole.len() - 200, whole.len() - 1] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(package.ask(), (Origin::Built, 9), "byte {at}");
        }
        std::fs::write(&path, &whole[..1000]).unwrap();
        assert_eq!(package.ask(), (Origin::Built, 9));
        let elsewhere = package.folder.path().join("elsewhere");
        std::fs::write(&elsewhere, &whole).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        assert_eq!(package.ask(), (Origin::Built, 9));
        // Another entry's file under this one's name.
        let other = Package::new();
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(package.ask(), (Origin::Built, 9));
        let renamed = other.folder.path().join("seed/code").join(Key::new("renamed").hex());
        std::fs::rename(other.folder.path().join(other.entry()), renamed).unwrap();
        let other = Package {
            key: Key::new("renamed"),
            ..other
        };
        assert_eq!(other.ask(), (Origin::Built, 9));
    }
}
