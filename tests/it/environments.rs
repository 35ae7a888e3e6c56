//! Environments that are no pleasure: packages that hang, exit or crash when they are imported, and native modules that were built
//! for something else.

use prims_sandbox::{Environment, Image, Invocation, Options, Sandbox};
use std::path::Path;
use std::time::Duration;

/// A sandbox on the usual cache.
fn sandbox(import_time: Option<Duration>) -> Sandbox {
    let cache = prims_cache::Cache::open(None).expect("the usual cache");
    let options = Options {
        import_time,
        ..Options::default()
    };
    Sandbox::new(prims_wasm::embedded_guest(&cache), cache, options).expect("the guest compiles")
}

/// An image with the modules that lie in a folder; it is made anew each time.
fn image(sandbox: &Sandbox, folder: &Path, modules: &[&str]) -> Image {
    let preload = ["@default"].iter().chain(modules);
    let environment = Environment {
        path: folder.to_owned(),
        digest: folder.display().to_string(),
        preload: preload.map(|name| (*name).to_owned()).collect(),
    };
    sandbox.image(&environment).expect("an image")
}

fn value(image: &Image, code: &str) -> String {
    super::value(&image.run(&Invocation::new(code)).expect("the host does its part"))
}

/// Makes an image with these modules and checks what it says about each: a name, its code, and a part of the note if it is left out.
fn check(sandbox: &Sandbox, modules: &[(&str, &str, Option<&str>)]) -> (tempfile::TempDir, Image) {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, code, _) in modules {
        std::fs::write(folder.path().join(format!("{name}.py")), code).expect("it can be written");
    }
    let names: Vec<&str> = modules.iter().map(|(name, ..)| *name).collect();
    let image = image(sandbox, folder.path(), &names);
    let prepared = image.prepared();
    for (name, _, expected) in modules {
        let note = prepared.skipped.iter().find(|skipped| skipped.module == *name);
        let imported = prepared.imported.iter().any(|imported| imported == name);
        match expected {
            Some(part) => assert!(note.is_some_and(|note| note.error.contains(part)), "{name}: {note:?}"),
            None => assert!(note.is_none() && imported, "{name}: {note:?}"),
        }
    }
    (folder, image)
}

#[test]
fn what_ends_the_interpreter_is_left_out_of_the_image() {
    let modules = [
        (
            "good",
            "import random, os\nentropy, number = os.urandom(4), random.random()",
            None,
        ),
        (
            "exits",
            "import os\nos._exit(7)",
            Some("the import ended the interpreter with status 7"),
        ),
        (
            "aborts",
            "import os\nos.abort()",
            Some("the import crashed the interpreter"),
        ),
        (
            "eats",
            "x = []\nwhile True: x.append(bytearray(1 << 24))",
            Some("MiB of memory, at most 256 are accepted"),
        ),
        ("raises", "raise SystemExit(3)", Some("SystemExit: 3")),
        ("also_good", "import good\nnumber = good.number", None),
    ];
    let (_folder, image) = check(&sandbox(None), &modules);
    // What is imported has seen no entropy, and is what it was.
    let code = "import sys, good, also_good\n(good.entropy, good.number == also_good.number, 'exits' in sys.modules)";
    assert_eq!(value(&image, code), "(b'++++', True, False)");
    // What is left out can still be tried.
    let code = "try:\n    import raises\nexcept SystemExit as e:\n    x = e.code\nx";
    assert_eq!(value(&image, code), "3");
}

#[test]
fn what_never_comes_back_is_left_out_of_the_image() {
    let modules = [
        ("hangs", "while True: pass", Some("the import took more than")),
        ("quick", "x = 1", None),
        (
            "sleeps",
            "import time\ntime.sleep(10**6)",
            Some("the import took more than 8 seconds"),
        ),
    ];
    let (_folder, image) = check(&sandbox(Some(Duration::from_secs(8))), &modules);
    assert_eq!(value(&image, "import quick\nquick.x"), "1");
}

/// A native module by hand. Its weak functions and its data have the names that those of another have, too, and `strlen` is one of the
/// interpreter's. Its constants say what it got; it throws and catches in the form that was never standardized.
fn native_module(name: &str, number: i32) -> Vec<u8> {
    let text = r#"(module
        (@dylink.0 (mem-info (memory 256 4) (table 0 0)))
        (import "env" "memory" (memory 1))
        (import "env" "__memory_base" (global $base i32))
        (import "env" "__indirect_function_table" (table 0 funcref))
        (import "env" "__cpp_exception" (tag $exception (param i32)))
        (import "env" "PyModule_Create2" (func $create (param i32 i32) (result i32)))
        (import "env" "PyModule_AddIntConstant" (func $add (param i32 i32 i32) (result i32)))
        (import "env" "strlen" (func $strlen (param i32) (result i32)))
        (import "env" "siprintf" (func $siprintf (param i32 i32 i32) (result i32)))
        (import "env" "weak_number" (func $number (result i32)))
        (import "GOT.func" "weak_number" (global $number_pointer (mut i32)))
        (import "GOT.mem" "weak_data" (global $data (mut i32)))
        (global (export "weak_data") i32 (i32.const 48))
        (data (global.get $base) "NAME\00")
        (data (i32.add (global.get $base) (i32.const 16)) "%d-%d\00")
        (data (i32.add (global.get $base) (i32.const 32)) "a\00b\00c\00d\00e\00")
        (data (i32.add (global.get $base) (i32.const 48)) "\NUMBER\00\00\00")
        (func (export "weak_number") (result i32) (i32.const 0xNUMBER))
        (func (export "strlen") (param i32) (result i32) (i32.const 99))
        (func $throw (param i32) (throw $exception (local.get 0)))
        (func $caught (result i32)
            try $outer (result i32)
                try (result i32)
                    try (result i32) (call $throw (call $number)) (i32.const 0) delegate $outer
                catch_all (i32.const 55)
                end
            catch $exception (i32.const 100) (i32.add)
            end)
        (func $constant (param $module i32) (param $name i32) (param $value i32)
            (drop (call $add (local.get $module) (i32.add (i32.add (global.get $base) (i32.const 32)) (local.get $name)) (local.get $value))))
        (func (export "PyInit_NAME") (result i32) (local $m i32)
            ;; PyModuleDef: reference count, name, size of the state
            (i32.store offset=64 (global.get $base) (i32.const 1))
            (i32.store offset=84 (global.get $base) (global.get $base))
            (i32.store offset=92 (global.get $base) (i32.const -1))
            (local.set $m (call $create (i32.add (global.get $base) (i32.const 64)) (i32.const 1013)))
            (call $constant (local.get $m) (i32.const 0) (call $number))
            (call $constant (local.get $m) (i32.const 2) (call_indirect (result i32) (global.get $number_pointer)))
            (call $constant (local.get $m) (i32.const 4) (i32.load (global.get $data)))
            (call $constant (local.get $m) (i32.const 6) (call $strlen (i32.add (global.get $base) (i32.const 16))))
            ;; What siprintf prints takes its numbers from memory.
            (i32.store offset=128 (global.get $base) (i32.const 12))
            (i32.store offset=132 (global.get $base) (i32.const 345))
            (call $constant (local.get $m) (i32.const 8) (i32.add (i32.mul (i32.const 1000) (call $caught))
                (call $siprintf (i32.add (global.get $base) (i32.const 160)) (i32.add (global.get $base) (i32.const 16)) (i32.add (global.get $base) (i32.const 128)))))
            (local.get $m)))"#;
    let text = text.replace("NAME", name).replace("NUMBER", &format!("{number:02x}"));
    wat::parse_str(text).expect("it is valid")
}

#[test]
fn weak_symbols_are_the_interpreters_else_the_modules_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(None);
    for (name, number) in [("one", 1), ("two", 2)] {
        let wasm = native_module(name, number);
        assert_eq!(sandbox.check_side_module(&wasm), Ok(()));
        std::fs::write(folder.path().join(format!("{name}.abi3.so")), wasm).expect("it can be written");
    }
    let code = "import one, two\n[(m.a, m.b, m.c, m.d, m.e) for m in (one, two)]";
    let expected = "[(1, 1, 1, 5, 101006), (2, 2, 2, 5, 102006)]";
    for preload in [&["one", "two"][..], &["two"], &[]] {
        let image = image(&sandbox, folder.path(), preload);
        assert_eq!(image.prepared().skipped, [], "{preload:?}");
        assert_eq!(value(&image, code), expected, "{preload:?}");
    }
}

#[test]
fn native_modules_that_do_not_fit_fail_when_they_are_imported() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(None);
    let header = r#"(module (@dylink.0 (mem-info)) (import "env" "memory" (memory 1))"#;
    let modules = [
        ("noise", b"\x7fELF and so on".to_vec(), "not a valid WebAssembly module"),
        (
            "lacks",
            wat::parse_str(format!(
                r#"{header} (import "env" "emscripten_sleep" (func (param i32))))"#
            ))
            .expect("valid"),
            "emscripten_sleep",
        ),
        ("bare", wat::parse_str("(module (memory 1))").expect("valid"), "memory"),
    ];
    for (name, wasm, expected) in &modules {
        let problem = sandbox
            .check_side_module(wasm)
            .expect_err("it does not fit")
            .to_string();
        assert!(problem.contains(expected), "{name}: {problem}");
        std::fs::write(folder.path().join(format!("{name}.abi3.so")), wasm).expect("it can be written");
    }
    let image = image(&sandbox, folder.path(), &["noise", "lacks", "bare"]);
    for (name, _, expected) in &modules {
        let note = image.prepared().skipped.iter().find(|skipped| skipped.module == *name);
        assert!(
            note.is_some_and(|note| note.error.contains(expected)),
            "{name}: {note:?}"
        );
        let code = format!("try:\n    import {name}\nexcept ImportError as e:\n    x = str(e)\nx");
        assert!(
            value(&image, &code).contains(expected),
            "{name}: {}",
            value(&image, &code)
        );
    }
}
