//! Side modules: their bases, their tables, and a hand-made linker.

use super::super::{BUDGET, INIT_MEMORY, ImportKind, ModuleInfo, RESTORE, Role, SAVE_GLOBALS, SlotKind};
use super::{Running, transformed};
use wasmtime::{Extern, Instance, Module, Ref};

/// What side modules are linked to.
pub(super) const MAIN: &str = r#"(module
    (memory (export "memory") 2)
    (table (export "__indirect_function_table") 4 funcref)
    (global (export "__stack_pointer") (mut i32) (i32.const 65536))
    (tag (export "__cpp_exception") (param i32))
    (func (export "twice") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
    (func (export "call_slot") (param i32) (result i32) (call_indirect (result i32) (local.get 0))))"#;

/// A module with everything linkers produce, and some things they do not.
pub(super) const SIDE: &str = r#"(module
    (@dylink.0 (mem-info (memory 5000 5) (table 3 0)) (needed "libother.so") (import-info "GOT.mem" "maybe" binding-weak))
    (import "GOT.mem" "somewhere" (global $somewhere (mut i32)))
    (import "env" "__memory_base" (global $memory_base i32))
    (import "env" "memory" (memory 1))
    (import "env" "twice" (func $twice (param i32) (result i32)))
    (import "env" "__indirect_function_table" (table 1 funcref))
    (import "env" "__stack_pointer" (global $sp (mut i32)))
    (import "env" "__cpp_exception" (tag $exception (param i32)))
    (import "env" "__table_base" (global $table_base i32))
    (import "GOT.func" "call_slot" (global $call_slot (mut i32)))
    (import "GOT.mem" "maybe" (global $maybe (mut i32)))
    (global $counter (export "counter") (mut i32) (i32.const 77))
    (global $inner i32 (i32.add (global.get $memory_base) (i32.const 24)))
    (global (export "thing") i32 (i32.const 8))
    (data (i32.add (global.get $memory_base) (i32.const 8)) "thing")
    (data (i32.add (i32.const 25) (i32.mul (global.get $memory_base) (i32.const 1))) "deep")
    (elem (global.get $table_base) func $five $six)
    (elem (table 0) (i32.add (global.get $table_base) (i32.const 2)) funcref (ref.func $twice_five))
    (elem declare func $add_bases)
    (start $begin)
    (func $begin (global.set $counter (i32.add (global.get $counter) (i32.const 1))))
    (func $five (export "five") (result i32) (i32.const 5))
    (func $six (result i32) (i32.const 6))
    (func $twice_five (result i32) (call $twice (call $five)))
    (func $add_bases (export "add_bases") (param i32) (result i32)
        (i32.add (local.get 0) (i32.add (global.get $memory_base) (global.get $table_base))))
    (func (export "inner") (param i32) (result i32) (global.get $inner))
    (func (export "state") (param i32) (result i32)
        (i32.add (global.get $counter) (i32.mul (i32.const 1000)
            (i32.add (global.get $somewhere) (i32.add (global.get $call_slot) (global.get $maybe))))))
    (func (export "spin") (local $n i32)
        (loop (br_if 0 (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 100000)))))
    (func (export "throws") (param i32) (result i32)
        (block $caught (result i32)
            (try_table (catch $exception $caught) (throw $exception (local.get 0)))
            (unreachable)))
    (func (export "push") (param i32) (result i32)
        (global.set $sp (i32.sub (global.get $sp) (local.get 0))) (global.get $sp)))"#;

/// Instantiates a side module whose imports the running main module provides.
pub(super) fn instantiate(running: &mut Running, wasm: &[u8]) -> Instance {
    let module = Module::new(running.store.engine(), wasm).unwrap();
    let imports: Vec<Extern> = module
        .imports()
        .map(|import| match (import.module(), import.name()) {
            super::REFILL => running.refill.into(),
            ("env", name) => running.main.get_export(&mut running.store, name).unwrap(),
            other => panic!("unexpected import {other:?}"),
        })
        .collect();
    Instance::new(&mut running.store, &module, &imports).unwrap()
}

fn slots_at(running: &mut Running, at: usize, info: &ModuleInfo, value: impl Fn(&SlotKind) -> Option<u32>) {
    let memory = running.memory();
    for (k, slot) in info.slots.iter().enumerate() {
        if let Some(value) = value(&slot.what) {
            memory.data_mut(&mut running.store)[at + 8 * k..][..4].copy_from_slice(&value.to_le_bytes());
        }
    }
}

fn call(running: &mut Running, instance: Instance, name: &str, argument: i32) -> i32 {
    let function = instance.get_typed_func::<i32, i32>(&mut running.store, name).unwrap();
    function.call(&mut running.store, argument).unwrap()
}

const MEMORY_BASE: u32 = 4096;
const SLOTS: u32 = 16384;

/// Loads [`SIDE`] as a linker would.
fn load(running: &mut Running) -> (Instance, ModuleInfo) {
    let side = transformed(SIDE, Role::Side);
    let instance = instantiate(running, &side.wasm);
    let table = running
        .main
        .get_table(&mut running.store, "__indirect_function_table")
        .unwrap();
    let table_base = table
        .grow(&mut running.store, side.info.table_size.into(), Ref::Func(None))
        .unwrap() as u32;
    let save = instance
        .get_typed_func::<u32, ()>(&mut running.store, SAVE_GLOBALS)
        .unwrap();
    save.call(&mut running.store, SLOTS).unwrap();
    slots_at(running, SLOTS as usize, &side.info, |what| match what {
        SlotKind::GotMem(name) => Some(if name == "somewhere" { 1 } else { 3 }),
        SlotKind::GotFunc(_) => Some(2),
        SlotKind::MemoryBase => Some(MEMORY_BASE),
        SlotKind::TableBase => Some(table_base),
        SlotKind::Internal => None,
    });
    let restore = instance.get_typed_func::<u32, ()>(&mut running.store, RESTORE).unwrap();
    restore.call(&mut running.store, SLOTS).unwrap();
    let init = instance
        .get_typed_func::<(), ()>(&mut running.store, INIT_MEMORY)
        .unwrap();
    init.call(&mut running.store, ()).unwrap();
    (instance, side.info)
}

#[test]
fn a_side_module_is_described() {
    let info = transformed(SIDE, Role::Side).info;
    assert_eq!((info.memory_size, info.memory_align), (5000, 32));
    assert_eq!((info.table_size, info.table_align), (3, 1));
    assert_eq!(info.needed, ["libother.so"]);
    assert_eq!((info.memory, info.table), (None, None));
    let slots: Vec<_> = info.slots.iter().map(|slot| (slot.what.clone(), slot.weak)).collect();
    let expected = [
        (SlotKind::GotMem("somewhere".into()), false),
        (SlotKind::MemoryBase, false),
        (SlotKind::TableBase, false),
        (SlotKind::GotFunc("call_slot".into()), false),
        (SlotKind::GotMem("maybe".into()), true),
        (SlotKind::Internal, false),
        (SlotKind::Internal, false),
    ];
    assert_eq!(slots, expected);
    let imports: Vec<_> = info
        .imports
        .iter()
        .map(|i| (i.module.as_str(), i.name.as_str(), i.kind.clone()))
        .collect();
    let expected = [
        ("env", "memory", ImportKind::Memory),
        ("env", "twice", ImportKind::Function("i:i".into())),
        ("env", "__indirect_function_table", ImportKind::Table),
        ("env", "__stack_pointer", ImportKind::Global),
        ("env", "__cpp_exception", ImportKind::Tag("i:".into())),
        ("prims", "refill", ImportKind::Function("I:I".into())),
        ("env", BUDGET, ImportKind::Global),
    ];
    assert_eq!(imports, expected);
}

#[test]
fn a_side_module_is_loaded_and_restored() {
    let mut running = Running::new(MAIN, 1 << 40);
    let (side, info) = load(&mut running);
    // Its data, its table entries behind the main module's four, its globals.
    assert_eq!(running.byte(MEMORY_BASE as usize + 8), b't');
    assert_eq!(running.byte(MEMORY_BASE as usize + 25), b'd');
    for (index, value) in [(4, 5), (5, 6), (6, 10)] {
        assert_eq!(running.call_with("call_slot", index).unwrap(), value);
    }
    assert_eq!(call(&mut running, side, "add_bases", 1), 4096 + 4 + 1);
    assert_eq!(call(&mut running, side, "inner", 0), 4096 + 24);
    assert_eq!(call(&mut running, side, "state", 0), 1000 * (1 + 2 + 3) + 78);
    assert_eq!(call(&mut running, side, "throws", 12), 12);
    assert_eq!(call(&mut running, side, "push", 16), 65520);
    let counter = side.get_global(&mut running.store, "counter").unwrap();
    counter.set(&mut running.store, wasmtime::Val::I32(123)).unwrap();
    let save = side
        .get_typed_func::<u32, ()>(&mut running.store, SAVE_GLOBALS)
        .unwrap();
    save.call(&mut running.store, SLOTS).unwrap();

    // A clone: memory as it is, a table of the final size, nothing but restore.
    let image = running.memory().data(&running.store).to_vec();
    let mut clone = Running::shell(MAIN, 1 << 40);
    let memory = clone.memory();
    memory.data_mut(&mut clone.store).copy_from_slice(&image);
    let side = transformed(SIDE, Role::Side);
    let table = clone
        .main
        .get_table(&mut clone.store, "__indirect_function_table")
        .unwrap();
    table
        .grow(&mut clone.store, info.table_size.into(), Ref::Func(None))
        .unwrap();
    let side = instantiate(&mut clone, &side.wasm);
    let restore = side.get_typed_func::<u32, ()>(&mut clone.store, RESTORE).unwrap();
    restore.call(&mut clone.store, SLOTS).unwrap();
    assert!(memory.data(&clone.store) == image, "restoring writes nothing to memory");
    for (index, value) in [(4, 5), (5, 6), (6, 10)] {
        assert_eq!(clone.call_with("call_slot", index).unwrap(), value);
    }
    assert_eq!(call(&mut clone, side, "state", 0), 1000 * (1 + 2 + 3) + 123);
    assert_eq!(call(&mut clone, side, "inner", 0), 4096 + 24);
}

#[test]
fn a_side_module_uses_up_the_main_modules_budget() {
    let mut running = Running::new(MAIN, 1 << 40);
    let (side, _) = load(&mut running);
    let before = running.used();
    let spin = side.get_typed_func::<(), ()>(&mut running.store, "spin").unwrap();
    spin.call(&mut running.store, ()).unwrap();
    let used = running.used() - before;
    assert!((100_000..2_000_000).contains(&used), "100,000 iterations used {used}");
}

#[test]
fn a_side_module_without_any_imports_still_has_what_the_added_functions_need() {
    let output = transformed(
        "(module (@dylink.0 (mem-info)) (global (mut i64) (i64.const 3)))",
        Role::Side,
    );
    let names: Vec<_> = output.info.imports.iter().map(|import| import.name.as_str()).collect();
    assert_eq!(names, ["memory", "refill", BUDGET]);
    assert_eq!(output.info.memory_align, 16);
}
