//! What this test program does when it is started again with a role.

use crate::fetching::{lock, open};
use crate::process::{itself, say};
use crate::server::{Server, patience};
use prims_cache::Cache;
use prims_packages::{Error, IndexSettings};
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command};

const ROLE: &str = "PRIMS_PACKAGES_TEST_ROLE";
const FOLDER: &str = "PRIMS_PACKAGES_TEST_FOLDER";
const INDEX: &str = "PRIMS_PACKAGES_TEST_INDEX";
const NAMES: &str = "PRIMS_PACKAGES_TEST_NAMES";

/// A process that says `ready`, installs packages when its input ends, and says how that ended.
pub(crate) fn installing(folder: &Path, server: &Server, names: &[&str]) -> Child {
    command(folder, server, names).spawn().unwrap()
}

pub(crate) fn command(folder: &Path, server: &Server, names: &[&str]) -> Command {
    let mut command = itself();
    command
        .env(ROLE, "install")
        .env(FOLDER, folder)
        .env(INDEX, server.url("/simple/").as_str())
        .env(NAMES, names.join(" "));
    command
}

/// Not a test of its own: what a child does. Without a role it does nothing.
#[test]
fn child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    assert_eq!(role, "install");
    let variable = |name| std::env::var(name).unwrap();
    let settings = IndexSettings {
        default: Some(variable(INDEX).parse().unwrap()),
        patience: patience(),
        ..IndexSettings::default()
    };
    let cache = Cache::open(Some(Path::new(&variable(FOLDER)))).unwrap();
    let names = variable(NAMES);
    let names: Vec<&str> = names.split(' ').collect();
    say("ready");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    let indexes = open(settings, &cache);
    match lock(&indexes, &names).and_then(|locked| indexes.install(&locked)) {
        Ok(environment) => say(&format!("installed {}", environment.digest)),
        Err(Error::Cache(prims_cache::Error::NoSpace { .. })) => say("no space"),
        Err(error) => say(&format!("failed: {error:?}")),
    }
}
