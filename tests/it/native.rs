//! Native modules that use everything the linker has to provide: C++ exceptions and `setjmp`/`longjmp`, inside one module and
//! across modules. The wheel that holds them is made with the guest and does not come with the program.

use prims_interpreter::{Interpreter, Prepared};
use prims_packages::{BundledIndex, BundledWheel, Requirements};
use prims_sandbox::{Environment, Exit, Invocation, Options, Sandbox};
use std::path::Path;

fn test_wheel() -> BundledWheel {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("python-wasm/dist");
    let manifest = std::fs::read(dist.join("manifest.json")).expect("the guest was built");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("the manifest is JSON");
    let files = manifest["files"].as_array().expect("it lists files");
    let wheel = files
        .iter()
        .find(|file| file["kind"] == "test-wheel")
        .expect("one of them is the test wheel");
    let text = |key: &str| wheel[key].as_str().expect("a text").to_owned();
    BundledWheel {
        bytes: std::fs::read(dist.join(text("name")))
            .expect("the wheel is there")
            .into(),
        filename: text("name").into(),
        sha256: Some(text("sha256").into()),
    }
}

fn with_the_test_wheel() -> Prepared {
    let cache = prims_cache::Cache::open(None).expect("the usual cache");
    let guest = prims_wasm::embedded_guest(&cache);
    let index = BundledIndex::new(&[test_wheel()]).expect("the wheel's name reads");
    let interpreter = Interpreter::new(guest, index, cache, Options::default()).expect("the guest compiles");
    interpreter
        .prepare(&["prims-selftest".to_owned()])
        .expect("the wheel is good")
}

#[test]
fn exceptions_and_jumps_cross_native_modules() {
    let prepared = with_the_test_wheel();
    assert!(
        prepared.image.prepared().skipped.is_empty(),
        "{:?}",
        prepared.image.prepared().skipped
    );
    let check = Invocation::new("import prims_selftest\nprims_selftest.check()");
    let outcome = prepared.image.run(&check).expect("the host does its part");
    assert_eq!(super::value(&outcome), "[]");
}

#[test]
fn exceptions_of_many_runs_leave_room_for_more() {
    let cache = prims_cache::Cache::open(None).expect("the usual cache");
    let requirements = Requirements::parse(&["prims-selftest"]).expect("it reads");
    let index = BundledIndex::new(&[test_wheel()]).expect("the wheel's name reads");
    let resolved = index
        .resolve(&requirements)
        .expect("it resolves")
        .expect("it is bundled");
    let installed = prims_packages::install(&cache, &resolved).expect("the wheel is good");
    let modules = ["_thrower", "_catcher", "_jumper"].map(|name| format!("prims_selftest.{name}"));
    let environment = Environment {
        path: installed.path.clone(),
        digest: installed.digest.clone(),
        preload: modules.to_vec(),
    };
    let guest = prims_wasm::embedded_guest(&cache);
    let sandbox = Sandbox::new(guest, cache, Options::default()).expect("the guest compiles");
    let image = sandbox.image(&environment).expect("the modules load");
    let throw = "import prims_selftest\n[prims_selftest.check() for _ in range(300)][-1]";
    for _ in 0..40 {
        let outcome = image.run(&Invocation::new(throw)).expect("the host does its part");
        assert_eq!(super::value(&outcome), "[]");
    }
    assert!(image.instances_made() < 15, "{} instances", image.instances_made());
}

#[test]
fn a_wheel_that_was_changed_is_refused() {
    let (mut wheel, right) = (test_wheel(), test_wheel());
    let bytes = wheel.bytes.to_mut();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let folder = tempfile::tempdir().expect("a folder");
    let cache = prims_cache::Cache::open(Some(folder.path())).expect("a private cache");
    let install = |wheel| {
        let requirements = Requirements::parse(&["prims-selftest"])?;
        let resolved = BundledIndex::new(&[wheel])?
            .resolve(&requirements)?
            .expect("it is bundled");
        prims_packages::install(&cache, &resolved)
    };
    let error = install(wheel).map(drop).expect_err("the digest is wrong").to_string();
    assert!(error.contains("sha256"), "{error}");
    assert!(install(right).is_ok());
}

#[test]
fn a_crash_in_a_native_module_ends_that_run_only() {
    let prepared = with_the_test_wheel();
    let abort = Invocation::new("import prims_selftest, os\nos.abort()");
    for _ in 0..20 {
        let crashed = prepared.image.run(&abort).expect("the host does its part");
        assert!(matches!(crashed.exit, Exit::Crashed(_)), "{:?}", crashed.exit);
        let check = Invocation::new("import prims_selftest\nprims_selftest.check()");
        assert_eq!(
            super::value(&prepared.image.run(&check).expect("the host does its part")),
            "[]"
        );
    }
}
