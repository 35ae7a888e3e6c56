//! What a transformed module looks like, apart from counting.

use super::super::{
    Export, ExportKind, INIT_MEMORY, Import, ImportKind, Limits, Meter, RESTORE, Role, SAVE_GLOBALS, SlotKind,
    SlotType, TransformError, TransformOptions, transform, transform_with,
};
use super::{Running, transformed};

const PLENTY: i64 = 1 << 40;

/// A module with a bit of everything.
pub(super) const MAIN: &str = r#"(module
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 2 100)
    (table (export "__indirect_function_table") 10 funcref)
    (global $sp (export "__stack_pointer") (mut i32) (i32.const 65536))
    (global $wide (mut i64) (i64.const -5))
    (global $single (mut f32) (f32.const 1.5))
    (global $double (mut f64) (f64.const 2.5))
    (global (export "some_data") i32 (i32.const 2048))
    (tag (export "__cpp_exception") (param i32))
    (data (i32.const 16) "hello")
    (data $passive "passive")
    (data (i32.add (i32.const 1000) (i32.const 24)) "placed")
    (elem (i32.const 3) $seven $eight)
    (start $begin)
    (func $begin (i32.store8 (i32.const 21) (i32.add (i32.load8_u (i32.const 16)) (i32.const 1))))
    (func $seven (result i32) (i32.const 7))
    (func $eight (result i32) (i32.const 8))
    (func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0)))
    (func (export "change")
        (global.set $sp (i32.const 1)) (global.set $wide (i64.const 2))
        (global.set $single (f32.const 3)) (global.set $double (f64.const 4)))
    (func (export "sum") (param i32) (result i32)
        (i32.add (i32.add (i32.wrap_i64 (global.get $wide)) (global.get $sp))
            (i32.trunc_f64_s (f64.add (f64.promote_f32 (global.get $single)) (global.get $double)))))
    (func (export "more") (param i32) (result i32)
        (memory.init $passive (i32.const 64) (i32.const 0) (i32.const 7)) (i32.load8_u (i32.const 64)))
    (func (export "leave") (call $exit (i32.const 1)))
    (func (export "spin") (loop (br_if 0 (i32.const 0)))))"#;

fn without_wasi(wat: &str) -> String {
    let exit = r#"(func $exit (param i32))"#;
    wat.replace(
        r#"(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))"#,
        "",
    )
    .replace("(start $begin)", &format!("(start $begin) {exit}"))
}

#[test]
fn instantiating_writes_nothing_and_init_memory_does() {
    let wat = without_wasi(MAIN);
    let mut running = Running::shell(&wat, PLENTY);
    let memory = running.memory();
    assert!(memory.data(&running.store).iter().all(|byte| *byte == 0));
    running.call(INIT_MEMORY).unwrap();
    assert_eq!(&memory.data(&running.store)[16..22], b"helloi");
    assert_eq!(&memory.data(&running.store)[1024..1030], b"placed");
    assert_eq!(running.call_with("more", 0).unwrap(), i32::from(b'p'));
    assert_eq!(running.call_with("call", 3).unwrap(), 7);
    assert_eq!(running.call_with("call", 4).unwrap(), 8);
    assert!(running.call_with("call", 5).is_err());
}

#[test]
fn globals_are_saved_in_memory_and_restored_from_it() {
    let wat = without_wasi(MAIN);
    let mut running = Running::new(&wat, PLENTY);
    assert_eq!(running.call_with("sum", 0).unwrap(), 65536 - 5 + 4);
    running.call("change").unwrap();
    assert_eq!(running.call_with("sum", 0).unwrap(), 2 + 1 + 7);
    let call = |running: &mut Running, name: &str| {
        let function = running
            .main
            .get_typed_func::<i32, ()>(&mut running.store, name)
            .unwrap();
        function.call(&mut running.store, 4096).unwrap();
    };
    call(&mut running, SAVE_GLOBALS);
    let memory = running.memory();
    let image = memory.data(&running.store).to_vec();
    let slot = |k: usize| u64::from_le_bytes(image[4096 + 8 * k..][..8].try_into().unwrap());
    assert_eq!([slot(0), slot(1)], [1, 2]);
    assert_eq!([slot(2) as u32, slot(3) as u32], [3f32.to_bits(), 0]);
    assert_eq!(f64::from_bits(slot(3)), 4.0);

    let mut clone = Running::shell(&wat, PLENTY);
    let memory = clone.memory();
    memory.data_mut(&mut clone.store).copy_from_slice(&image);
    call(&mut clone, RESTORE);
    assert_eq!(clone.call_with("sum", 0).unwrap(), 2 + 1 + 7);
    assert_eq!(clone.call_with("call", 3).unwrap(), 7);
}

#[test]
fn a_main_module_is_described() {
    let info = transformed(MAIN, Role::Main).info;
    assert_eq!(
        (info.memory_size, info.memory_align, info.table_size, info.table_align),
        (0, 0, 0, 0)
    );
    assert_eq!(
        info.memory,
        Some(Limits {
            initial: 2,
            maximum: Some(100)
        })
    );
    assert_eq!(
        info.table,
        Some(Limits {
            initial: 10,
            maximum: None
        })
    );
    let slots: Vec<_> = info.slots.iter().map(|slot| (slot.what.clone(), slot.ty)).collect();
    let types = [SlotType::I32, SlotType::I64, SlotType::F32, SlotType::F64];
    assert_eq!(slots, types.map(|ty| (SlotKind::Internal, ty)));
    let import = |module: &str, name: &str, signature: &str| Import {
        module: module.into(),
        name: name.into(),
        kind: ImportKind::Function(signature.into()),
        weak: false,
    };
    let imports = [
        import("wasi_snapshot_preview1", "proc_exit", "i:"),
        import("prims", "refill", "I:I"),
    ];
    assert_eq!(info.imports, imports);
    let export = |name: &str, kind| Export {
        name: name.into(),
        kind,
    };
    for expected in [
        export("memory", ExportKind::Memory),
        export("__indirect_function_table", ExportKind::Table),
        export("__stack_pointer", ExportKind::Global),
        export("some_data", ExportKind::Data(2048)),
        export("__cpp_exception", ExportKind::Tag("i:".into())),
        export("call", ExportKind::Function("i:i".into())),
    ] {
        assert!(info.exports.contains(&expected), "{expected:?} in {:?}", info.exports);
    }
    assert!(info.exports.iter().all(|export| !export.name.starts_with("__prims_")));
}

#[test]
fn imports_match_the_description() {
    for (wat, role) in [(MAIN, Role::Main), (super::linking::SIDE, Role::Side)] {
        let output = transformed(wat, role);
        let module = wasmtime::Module::new(&super::engine(), &output.wasm).unwrap();
        let found: Vec<_> = module
            .imports()
            .map(|i| (i.module().to_owned(), i.name().to_owned()))
            .collect();
        let described: Vec<_> = output.info.imports.into_iter().map(|i| (i.module, i.name)).collect();
        assert_eq!(found, described);
    }
}

#[test]
fn sections_that_are_not_needed_are_dropped_and_names_are_kept_on_demand() {
    let wasm = wat::parse_str(MAIN).unwrap();
    let customs = |options| {
        let output = transform_with(&wasm, Role::Main, options).unwrap();
        wasmparser::Validator::new().validate_all(&output.wasm).unwrap();
        let mut found = vec![];
        let mut names = vec![];
        for payload in wasmparser::Parser::new(0).parse_all(&output.wasm) {
            let wasmparser::Payload::CustomSection(section) = payload.unwrap() else {
                continue;
            };
            found.push(section.name().to_owned());
            let wasmparser::KnownCustom::Name(subsections) = section.as_known() else {
                continue;
            };
            for subsection in subsections {
                let wasmparser::Name::Function(map) = subsection.unwrap() else {
                    continue;
                };
                names.extend(
                    map.into_iter()
                        .map(|name| name.unwrap())
                        .map(|name| (name.index, name.name.to_owned())),
                );
            }
        }
        (found, names)
    };
    assert_eq!(customs(TransformOptions::default()).0, ["metadata.code.branch_hint"]);
    let (found, names) = customs(TransformOptions {
        keep_names: true,
        ..TransformOptions::default()
    });
    assert_eq!(found, ["metadata.code.branch_hint", "name"]);
    for expected in [(0, "exit"), (2, "begin"), (3, "seven")] {
        assert!(
            names.contains(&(expected.0, expected.1.to_owned())),
            "{expected:?} in {names:?}"
        );
    }
    assert!(names.iter().any(|(_, name)| name == INIT_MEMORY));
}

#[test]
fn without_metering_nothing_is_counted_but_the_form_is_the_same() {
    let wasm = wat::parse_str(MAIN).unwrap();
    let off = transform_with(
        &wasm,
        Role::Main,
        TransformOptions {
            main: None,
            meter: Meter::Off,
            keep_names: false,
        },
    )
    .unwrap();
    let on = transform(&wasm, Role::Main).unwrap();
    wasmparser::Validator::new().validate_all(&off.wasm).unwrap();
    assert_eq!(off.info, on.info);
    assert!(off.wasm.len() < on.wasm.len());
    assert_eq!(off.stats, super::super::MeterStats::default());
}

#[test]
fn what_a_module_may_not_be_is_refused_with_a_reason() {
    let dylink = r#"(@dylink.0 (mem-info))"#;
    let side = |body: &str| format!("(module {dylink} {body})");
    let cases: &[(String, Role, &str)] = &[
        (
            side(r#"(import "wasi_snapshot_preview1" "fd_write" (func))"#),
            Role::Side,
            "function wasi_snapshot_preview1.fd_write",
        ),
        (
            side(r#"(import "prims" "dlopen" (func))"#),
            Role::Side,
            "function prims.dlopen",
        ),
        (side(r#"(import "env" "a" (global i32))"#), Role::Side, "global env.a"),
        (
            side(r#"(import "env" "a" (global (mut i32)))"#),
            Role::Side,
            "mutable global env.a",
        ),
        (
            side(r#"(import "env" "__memory_base" (global (mut i32)))"#),
            Role::Side,
            "mutable global env.__memory_base",
        ),
        (
            side(r#"(import "GOT.mem" "x" (global i32))"#),
            Role::Side,
            "global GOT.mem.x",
        ),
        (
            side(r#"(import "GOT.mem" "x" (global (mut i64)))"#),
            Role::Side,
            "mutable global GOT.mem.x",
        ),
        (
            side(r#"(import "GOT.mem" "x" (func))"#),
            Role::Side,
            "function GOT.mem.x",
        ),
        (
            side(r#"(import "env" "other" (memory 1))"#),
            Role::Side,
            "memory env.other",
        ),
        (
            side(r#"(import "env" "other" (table 1 funcref))"#),
            Role::Side,
            "table env.other",
        ),
        (
            side(r#"(import "prims" "refill" (func (param i64) (result i64)))"#),
            Role::Side,
            "refill, which is reserved",
        ),
        (
            side(r#"(import "env" "__prims_budget" (global (mut i64)))"#),
            Role::Side,
            "__prims_budget, which is reserved",
        ),
        (
            side(r#"(import "env" "__prims_restore" (func (param i32)))"#),
            Role::Side,
            "__prims_restore, which is reserved",
        ),
        (
            side(r#"(func (export "__prims_restore"))"#),
            Role::Side,
            "__prims_restore, which is reserved",
        ),
        (side("(memory 1)"), Role::Side, "defines a memory"),
        (side("(table 1 funcref)"), Role::Side, "defines a table"),
        (
            side("(global (mut v128) (v128.const i64x2 0 0))"),
            Role::Side,
            "mutable global 0 has type v128",
        ),
        (
            side("(global (mut funcref) (ref.null func))"),
            Role::Side,
            "mutable global 0 has type funcref",
        ),
        ("(module)".into(), Role::Side, "no dylink.0 section"),
        ("(module)".into(), Role::Main, "has no memory"),
        (
            r#"(module (import "env" "memory" (memory 1)))"#.into(),
            Role::Main,
            "memory env.memory, which a main",
        ),
        (
            r#"(module (import "prims" "refill" (func)) (memory 1))"#.into(),
            Role::Main,
            "refill, which is reserved",
        ),
        ("(module (memory 1) (memory 1))".into(), Role::Main, "multiple memories"),
        ("(module (memory i64 1))".into(), Role::Main, "memory64"),
        ("(module (memory 1 1 shared))".into(), Role::Main, "threads"),
        (
            "(module (memory 1) (func (return_call 0)))".into(),
            Role::Main,
            "tail calls",
        ),
        ("(module (memory 1) (type (struct)))".into(), Role::Main, "gc"),
        ("(module (memory 1) (table 0 externref))".into(), Role::Main, "gc types"),
        (
            "(module (memory 1) (func (param v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 0)))))".into(),
            Role::Main,
            "relaxed",
        ),
        ("(module (memory 1) (func (i32.add)))".into(), Role::Main, "not a valid"),
        (
            "(module (memory 1) (func try catch_all i32.add end))".into(),
            Role::Main,
            "not a valid",
        ),
        (side("(func try (rethrow 0) end)"), Role::Side, "not a valid"),
        ("(component)".into(), Role::Main, "not a valid"),
    ];
    for (wat, role, expected) in cases {
        let error = transform(&wat::parse_str(wat).unwrap(), *role)
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{wat}: {error}, expected {expected}");
    }
}

#[test]
fn sizes_are_limited() {
    let error = transform(&vec![0; (64 << 20) + 1], Role::Side).map(|_| ()).unwrap_err();
    assert!(matches!(error, TransformError::TooLarge { .. }), "{error}");
    // wasm allows 50,000 locals; two are needed to count.
    let wat = format!("(module (memory 1) (func (local{})))", " i32".repeat(49_999));
    let error = transform(&wat::parse_str(wat).unwrap(), Role::Main)
        .map(|_| ())
        .unwrap_err();
    assert!(matches!(error, TransformError::TooMany { .. }), "{error}");
    let wat = format!(
        "(module (memory 1) (func (local{}) (loop (br 0))))",
        " i32".repeat(49_998)
    );
    transformed(&wat, Role::Main);
}

#[test]
fn code_that_changes_tables_or_drops_segments_is_found() {
    let changes = |code: &str| {
        let wat = format!(
            r#"(module (memory (export "memory") 1) (table $t (export "__indirect_function_table") 10 funcref)
                (elem $e func $f) (data $d "x") (func $f {code}))"#
        );
        transformed(&wat, Role::Main).info.changes_tables
    };
    for code in [
        "(table.set $t (i32.const 1) (ref.func $f))",
        "(drop (table.grow $t (ref.null func) (i32.const 1)))",
        "(table.fill $t (i32.const 0) (ref.null func) (i32.const 1))",
        "(table.copy $t $t (i32.const 0) (i32.const 1) (i32.const 1))",
        "(table.init $t $e (i32.const 0) (i32.const 0) (i32.const 1))",
        "(elem.drop $e)",
        "(data.drop $d)",
    ] {
        assert!(changes(code), "{code}");
    }
    let reads = "(drop (table.get $t (i32.const 1))) (drop (table.size $t))
        (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1)) (memory.fill (i32.const 0) (i32.const 0) (i32.const 1))";
    assert!(!changes(reads));
}
