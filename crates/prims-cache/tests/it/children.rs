//! What this test program does when it is started again with a role.

use crate::process::{itself, say};
use crate::support::{build_dir, build_file, check_dir, check_file, key, open, write_file};
use prims_cache::{Cache, Error};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

const ROLE: &str = "PRIMS_CACHE_TEST_ROLE";
const FOLDER: &str = "PRIMS_CACHE_TEST_FOLDER";

/// Starts this program in a role. It says `ready`, does its part, and ends when its input does.
pub(crate) fn spawn(role: &str, folder: &Path) -> Child {
    command(role, folder).spawn().unwrap()
}

pub(crate) fn command(role: &str, folder: &Path) -> Command {
    let mut command = itself();
    command.env(ROLE, role).env(FOLDER, folder);
    command
}

/// Not a test of its own: what a child does. Without a role it does nothing.
#[test]
fn child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let folder = std::env::var_os(FOLDER).unwrap();
    let folder = Path::new(&folder);
    match role.as_str() {
        "build" => build(folder),
        "hold" => hold(folder),
        "sit-on-build" => sit_on_build(folder),
        "build-forever" => build_forever(folder),
        "try-to-open" => try_to_open(folder),
        "try-to-write" => try_to_write(folder),
        other => panic!("no such role: {other}"),
    }
}

fn wait_for_end_of_input() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// Builds some entries together with its siblings, and says which of them it built.
fn build(folder: &Path) {
    let cache = open(folder);
    say("ready");
    wait_for_end_of_input();
    for number in 0..6 {
        let entry = cache.file("blob", &key(number), |out| {
            say(&format!("built blob {number}"));
            std::thread::sleep(Duration::from_millis(20));
            write_file(out, number)
        });
        check_file(&entry.unwrap(), number);
        let entry = cache.dir("tree", &key(number), |out| {
            say(&format!("built tree {number}"));
            std::thread::sleep(Duration::from_millis(20));
            crate::support::write_dir(out, number)
        });
        check_dir(&entry.unwrap(), number);
    }
}

/// Uses a file, its descriptor alone, and a folder.
fn hold(folder: &Path) {
    let cache = open(folder);
    let entries = (
        build_file(&cache, 1),
        build_file(&cache, 2).into_file(),
        build_dir(&cache, 3),
    );
    say("ready");
    wait_for_end_of_input();
    drop(entries);
}

/// Begins to build and does not go on.
fn sit_on_build(folder: &Path) {
    let _ = open(folder).file("blob", &key(1), |out| {
        out.write_all(b"half").unwrap();
        say("ready");
        wait_for_end_of_input();
        Err::<(), Error>(Error::Kind("given up".into()))
    });
}

/// Builds and cleans until it is killed.
fn build_forever(folder: &Path) {
    let cache = open(folder);
    say("ready");
    loop {
        for number in 0..3 {
            build_file(&cache, number);
            build_dir(&cache, number);
        }
        cache.clean().unwrap();
    }
}

/// Says how opening the cache ends.
fn try_to_open(folder: &Path) {
    match Cache::open(Some(folder)) {
        Ok(_) => say("opened"),
        Err(error) => say(&format!("{error:?} | {error} | {}", error.hint().unwrap_or("no hint"))),
    }
}

/// Says how building a large entry ends.
fn try_to_write(folder: &Path) {
    let cache = open(folder);
    let large = vec![7; 1 << 20];
    let file = cache.file("blob", &key(1), |out| {
        // A builder that believes that writing cannot fail.
        let _ = out.write_all(&large);
        Ok::<(), Error>(())
    });
    let dir = cache.dir("tree", &key(1), |out| out.file("large", &large));
    for error in [file.err(), dir.err()] {
        match error {
            Some(error @ Error::NoSpace { .. }) => say(&format!("no space | {}", error.hint().unwrap())),
            other => say(&format!("unexpected: {other:?}")),
        }
    }
}
