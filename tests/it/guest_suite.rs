//! The guest package's own tests, run where it runs: inside the guest.

use prims_sandbox::{Exit, Invocation};
use std::path::Path;
use std::time::Duration;

#[test]
fn the_tests_of_the_guest_package_pass_in_the_guest() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("python-wasm/prims_runtime");
    let drive = std::fs::read_to_string(package.join("tests/drive.py")).expect("the driver is there");
    let mut invocation = Invocation::new(drive);
    invocation.filename = "drive.py".into();
    invocation.mounts = Some(package);
    invocation.limits.wall_clock = Duration::from_secs(300);
    // The package as it lies here, whichever the embedded guest has.
    let prepared = super::states::interpreter().prepare(&[]).expect("nothing is asked for");
    let outcome = prepared.image.run(&invocation).expect("the host does its part");
    let report = outcome.output.stderr.text();
    assert!(
        matches!(outcome.exit, Exit::Exited(0)),
        "{:?}\n{}\n{report}",
        outcome.exit,
        outcome.output.stdout.text()
    );
    // "Ran 297 tests in 12.345s": fewer would mean that they were not found.
    let ran = report
        .split("Ran ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next())
        .and_then(|count| count.parse::<u32>().ok());
    assert!(ran.is_some_and(|count| count > 250), "{report}");
}
