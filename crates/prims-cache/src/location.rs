//! Where the cache lies.

use crate::error::{Error, Insecure};
use crate::sys;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Name of the variable that says where the cache lies.
const VARIABLE: &str = "PRIMS_CACHE_DIR";
/// Name of the folder below the user's cache folder.
const NAME: &str = "prims-wasm";
/// The layout this version writes. Other versions of the program that use another one keep to their own folder.
const LAYOUT: &str = "v1";
/// Tells backup programs that this folder is a cache (<https://bford.info/cachedir/>).
const TAG: &str =
    "Signature: 8a477f597d28d172789f06886806bc55\n# Written by prims-wasm; everything here can be rebuilt.\n";

/// Where the cache lies and why there.
#[derive(Debug)]
pub struct Location {
    path: PathBuf,
    chosen: Chosen,
    /// Whether the folder is removed when nobody uses it any more.
    temporary: bool,
}

/// What decided where the cache lies.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Chosen {
    /// The caller named the folder.
    Argument,
    /// `PRIMS_CACHE_DIR` did.
    Variable,
    /// It is the user's cache folder.
    Default,
    /// The user's cache folder could not be used, so this is a private folder among the temporary files.
    Temporary {
        /// Why.
        reason: String,
    },
}

impl Location {
    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Why this one.
    pub fn chosen(&self) -> &Chosen {
        &self.chosen
    }

    /// One line for the user where the location is not what they would expect.
    pub fn note(&self) -> Option<String> {
        let Chosen::Temporary { reason } = &self.chosen else {
            return None;
        };
        let fate = if self.temporary {
            ", which is removed at the end"
        } else {
            ""
        };
        let path = self.path.display();
        Some(format!(
            "{reason}; using `{path}`{fate} (set {VARIABLE} to a folder that can be written)"
        ))
    }

    /// Where this version keeps its entries.
    pub(crate) fn entries(&self) -> PathBuf {
        self.path.join(LAYOUT)
    }

    /// Finds the folder and makes it ready.
    pub(crate) fn find(
        argument: Option<&Path>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Location, Error> {
        let here = |path: PathBuf, chosen| Location {
            path,
            chosen,
            temporary: false,
        };
        if let Some(path) = argument {
            return Ok(here(prepare(path)?, Chosen::Argument));
        }
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(path) = variable(VARIABLE) {
            return Ok(here(prepare(&path)?, Chosen::Variable));
        }
        let reason = match default(&variable) {
            Some(path) => match prepare(&path) {
                Ok(path) => return Ok(here(path, Chosen::Default)),
                Err(Error::Unwritable { path, source }) => format!("`{}` cannot be written ({source})", path.display()),
                Err(other) => return Err(other),
            },
            None => "there is no home folder to keep a cache in".to_owned(),
        };
        let parent = variable("TMPDIR")
            .filter(|path| path.is_absolute())
            .unwrap_or_else(|| "/tmp".into());
        let (path, temporary) = temporary_folder(&parent)?;
        Ok(Location {
            path,
            chosen: Chosen::Temporary { reason },
            temporary,
        })
    }
}

impl Drop for Location {
    fn drop(&mut self) {
        if self.temporary {
            let _ = sys::remove(&self.path);
        }
    }
}

/// The user's cache folder. Relative paths in variables are ignored, as the XDG specification asks.
fn default(variable: &impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let absolute = |name| variable(name).filter(|path| path.is_absolute());
    let below_home = if cfg!(target_os = "macos") {
        "Library/Caches"
    } else {
        ".cache"
    };
    let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(below_home)))?;
    Some(base.join(NAME))
}

/// Creates the folder where it is missing, and makes sure that it is ours alone and can be written.
fn prepare(path: &Path) -> Result<PathBuf, Error> {
    let unwritable = |source| Error::Unwritable {
        path: path.to_owned(),
        source,
    };
    match std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Error::Insecure {
                path: path.to_owned(),
                found: Insecure::NotFolder,
            });
        }
        Err(error) => return Err(unwritable(error)),
    }
    let path = path.canonicalize().map_err(unwritable)?;
    check(&path)?;
    populate(&path)?;
    Ok(path)
}

/// Whether nobody else can write a folder.
fn check(path: &Path) -> Result<(), Error> {
    let found = std::fs::symlink_metadata(path).map_err(|source| Error::Unwritable {
        path: path.to_owned(),
        source,
    })?;
    let (owner, user, mode) = (found.uid(), sys::user(), found.mode() & 0o7777);
    let found = if !found.is_dir() {
        Insecure::NotFolder
    } else if owner != user {
        Insecure::Owner { owner, user }
    } else if mode & 0o022 != 0 {
        Insecure::Mode { mode }
    } else {
        return Ok(());
    };
    Err(Error::Insecure {
        path: path.to_owned(),
        found,
    })
}

/// Creates what every cache has, which also shows whether the folder can be written.
fn populate(path: &Path) -> Result<(), Error> {
    let unwritable = |source| Error::Unwritable {
        path: path.to_owned(),
        source,
    };
    let entries = path.join(LAYOUT);
    match sys::create_dir(&entries) {
        Ok(()) => {
            // A missing tag harms nobody.
            let _ = std::fs::write(path.join("CACHEDIR.TAG"), TAG);
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(unwritable(error)),
    }
    check(&entries)?;
    let probe = entries.join(format!(".probe-{}", unique()));
    sys::create(&probe, 0o600).map_err(unwritable)?;
    sys::remove(&probe).map_err(unwritable)
}

/// A private folder among the temporary files: the same one every time, or, where somebody else sits on its name, one of a random
/// name that is removed at the end.
fn temporary_folder(parent: &Path) -> Result<(PathBuf, bool), Error> {
    let lasting = parent.join(format!("{NAME}-{}", sys::user()));
    match sys::create_dir(&lasting) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(Error::Unwritable {
                path: lasting,
                source: error,
            });
        }
        // `check` does not follow a link somebody put there.
        _ => {
            if check(&lasting).and_then(|()| populate(&lasting)).is_ok() {
                return Ok((lasting, false));
            }
        }
    }
    let path = parent.join(format!("{NAME}-{}-{}", sys::user(), unique()));
    sys::create_dir(&path).map_err(|source| Error::Unwritable {
        path: path.clone(),
        source,
    })?;
    populate(&path)?;
    Ok((path, true))
}

/// A name no other process or thread uses. Not a secret: creating what it names fails where it exists.
pub(crate) fn unique() -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    // The standard library's only source of randomness.
    format!(
        "{}-{:016x}",
        std::process::id(),
        RandomState::new().build_hasher().finish()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::os::unix::fs::PermissionsExt;

    fn find(argument: Option<&Path>, variables: &[(&str, &Path)]) -> Result<Location, Error> {
        let variables: HashMap<&str, OsString> = variables
            .iter()
            .map(|(name, value)| (*name, value.as_os_str().to_owned()))
            .collect();
        Location::find(argument, |name| variables.get(name).cloned())
    }

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_first_of_argument_variable_and_defaults_wins() {
        let base = tempfile::tempdir().unwrap();
        let base = base.path().canonicalize().unwrap();
        let [argument, variable, xdg, home] = ["argument", "variable", "xdg", "home"].map(|name| base.join(name));
        let variables = [(VARIABLE, &*variable), ("XDG_CACHE_HOME", &*xdg), ("HOME", &*home)];
        let found = find(Some(&argument), &variables).unwrap();
        assert_eq!(
            (found.path(), found.chosen(), found.note()),
            (&*argument, &Chosen::Argument, None)
        );
        let found = find(None, &variables).unwrap();
        assert_eq!((found.path(), found.chosen()), (&*variable, &Chosen::Variable));
        let found = find(None, &variables[1..]).unwrap();
        assert_eq!(
            (found.path(), found.chosen()),
            (&*xdg.join("prims-wasm"), &Chosen::Default)
        );
        let found = find(None, &variables[2..]).unwrap();
        assert!(
            found.path().starts_with(&home) && found.path().ends_with("prims-wasm"),
            "{found:?}"
        );
        for created in [argument, variable, xdg.join("prims-wasm")] {
            assert_eq!(std::fs::metadata(&created).unwrap().mode() & 0o7777, 0o700);
            assert!(created.join("CACHEDIR.TAG").is_file());
        }
        // Empty and relative values are no values.
        let found = find(
            None,
            &[
                (VARIABLE, Path::new("")),
                ("XDG_CACHE_HOME", Path::new("x")),
                ("HOME", &home),
            ],
        )
        .unwrap();
        assert!(found.path().starts_with(&home));
    }

    #[test]
    fn a_folder_others_can_write_is_refused() {
        let base = tempfile::tempdir().unwrap();
        for mode in [0o777, 0o770, 0o702] {
            set_mode(base.path(), mode);
            let error = find(Some(base.path()), &[]).unwrap_err();
            assert!(
                matches!(
                    error,
                    Error::Insecure {
                        found: Insecure::Mode { .. },
                        ..
                    }
                ),
                "{error}"
            );
            assert!(error.hint().unwrap().contains("chmod"));
        }
        set_mode(base.path(), 0o755);
        find(Some(base.path()), &[]).unwrap();
        set_mode(&base.path().join(LAYOUT), 0o777);
        assert!(matches!(find(Some(base.path()), &[]), Err(Error::Insecure { .. })));
    }

    #[test]
    fn somebody_elses_folder_is_refused() {
        // `/` belongs to the superuser; when the test runs as that user it gives a folder away instead.
        let base = tempfile::tempdir().unwrap();
        let path = if sys::user() == 0 {
            std::os::unix::fs::chown(base.path(), Some(12345), None).unwrap();
            base.path()
        } else {
            Path::new("/")
        };
        let error = find(Some(path), &[]).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Insecure {
                    found: Insecure::Owner { .. },
                    ..
                }
            ),
            "{error}"
        );
        assert!(error.to_string().contains("belongs to user"));
    }

    #[test]
    fn an_unusable_default_falls_back_and_an_unusable_choice_does_not() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("file");
        std::fs::write(&file, "").unwrap();
        // Not even the superuser can create a folder below a file.
        let impossible = file.join("cache");
        for (argument, variables) in [(Some(&*impossible), vec![]), (None, vec![(VARIABLE, &*impossible)])] {
            let error = find(argument, &variables).unwrap_err();
            assert!(matches!(error, Error::Unwritable { .. }), "{error:?}");
            assert!(error.hint().unwrap().contains(VARIABLE));
        }
        let error = find(Some(&file), &[]).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Insecure {
                    found: Insecure::NotFolder,
                    ..
                }
            ),
            "{error:?}"
        );

        let temporary = base.path().join("tmp");
        std::fs::create_dir(&temporary).unwrap();
        for home in [vec![("HOME", &*impossible)], vec![]] {
            let variables: Vec<_> = home.into_iter().chain([("TMPDIR", &*temporary)]).collect();
            let found = find(None, &variables).unwrap();
            assert!(matches!(found.chosen(), Chosen::Temporary { .. }));
            assert!(found.note().unwrap().contains(VARIABLE));
            assert_eq!(found.path(), temporary.join(format!("prims-wasm-{}", sys::user())));
        }
    }

    #[test]
    fn a_taken_temporary_name_is_not_used() {
        let base = tempfile::tempdir().unwrap();
        let (theirs, name) = (
            base.path().join("theirs"),
            base.path().join(format!("prims-wasm-{}", sys::user())),
        );
        std::fs::create_dir(&theirs).unwrap();
        std::os::unix::fs::symlink(&theirs, &name).unwrap();
        let found = find(None, &[("TMPDIR", base.path())]).unwrap();
        let path = found.path().to_owned();
        assert!(path != name && path.starts_with(base.path()) && path.is_dir());
        assert_eq!(std::fs::read_dir(&theirs).unwrap().count(), 0);
        drop(found);
        assert!(!path.exists());
    }
}
