//! Disks that are full, folders that cannot be written.

use crate::children::command;
use crate::process::{finish, with_small_files};
use crate::support::*;
use prims_cache::Origin;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Without privileges: another user where the tests run as the superuser, for whom no folder is read-only.
fn unprivileged(command: &mut Command) -> bool {
    let is_superuser = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if is_superuser {
        command.uid(65_534).gid(65_534);
    }
    is_superuser
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    fs::create_dir(&cache).unwrap();
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    fs::set_permissions(&cache, PermissionsExt::from_mode(0o555)).unwrap();
    // The program lies where another user may not look, so it is copied.
    let program = folder.path().join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let original = command("try-to-open", &cache);
    let mut copy = Command::new(&program);
    copy.args(original.get_args())
        .stdin(std::process::Stdio::null())
        .current_dir("/");
    for (name, value) in original.get_envs() {
        copy.env(name, value.unwrap());
    }
    if unprivileged(&mut copy) {
        std::os::unix::fs::chown(&cache, Some(65_534), None).unwrap();
    }
    let output = copy.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("Unwritable") && said.contains("set PRIMS_CACHE_DIR"),
        "{said} {output:?}"
    );
}

#[test]
fn a_limit_on_file_sizes_is_an_error_with_a_hint_and_publishes_nothing() {
    let (folder, cache) = cache();
    let child = command("try-to-write", folder.path());
    let said = finish(with_small_files(&child).spawn().unwrap());
    assert_eq!(said.matches("no space | free some space").count(), 2, "{said}");
    assert_eq!(cache.info().unwrap().kinds, []);
    assert_eq!(leftovers(folder.path()), Vec::<std::path::PathBuf>::new());
    assert_eq!(build_file(&cache, 1).origin(), &Origin::Built);
    assert_eq!(build_dir(&cache, 1).origin(), &Origin::Built);
}
