//! Small modules in text form, transformed, checked and run.

#![allow(clippy::unwrap_used)]

mod form;
mod hostile;
mod legacy;
mod linking;
mod stops;
mod verify;

use super::{BUDGET, INIT_MEMORY, REFILL, Role, Transformed, transform};
use wasmtime::{Caller, Config, Engine, Extern, Func, Instance, Memory, Module, Store, WasmFeatures};

/// What the host knows of a run.
pub(super) struct Host {
    /// The budget given in all.
    pub(super) granted: i64,
    /// Traps when this is used up.
    pub(super) limit: i64,
    pub(super) slice: i64,
    pub(super) refills: u32,
}

/// Transforms a module and proves the output, which must then also be one that wasmtime takes.
pub(super) fn transformed(wat: &str, role: Role) -> Transformed {
    let wasm = wat::parse_str(wat).unwrap();
    let output = transform(&wasm, role).unwrap();
    assert_eq!(
        transform(&wasm, role).unwrap().wasm,
        output.wasm,
        "the same input gives the same output"
    );
    verify::verify(&output.wasm, role).unwrap();
    output
}

pub(super) fn engine() -> Engine {
    let mut config = Config::new();
    config.wasm_features(WasmFeatures::EXCEPTIONS | WasmFeatures::EXTENDED_CONST, true);
    config.wasm_branch_hinting(true);
    config.max_wasm_stack(256 << 10);
    Engine::new(&config).unwrap()
}

/// A main module that runs.
pub(super) struct Running {
    pub(super) store: Store<Host>,
    pub(super) main: Instance,
    pub(super) refill: Func,
}

impl Running {
    /// Instantiates a main module: the state of a fresh instance, before anything was called. Nothing but the host functions
    /// `prims.refill` and `prims.dlopen` (which calls the export `callback`, if there is one) can be imported.
    pub(super) fn shell(wat: &str, limit: i64) -> Running {
        let module = transformed(wat, Role::Main);
        let engine = engine();
        let mut store = Store::new(
            &engine,
            Host {
                granted: 0,
                limit,
                slice: 10_000,
                refills: 0,
            },
        );
        let refill = Func::wrap(&mut store, |mut caller: Caller<'_, Host>, budget: i64| {
            assert!(budget < 0, "asked with a budget of {budget}");
            let host = caller.data_mut();
            host.refills += 1;
            if host.granted - budget > host.limit {
                wasmtime::bail!("out of budget");
            }
            host.granted += host.slice - budget;
            Ok(host.slice)
        });
        let dlopen = Func::wrap(&mut store, |mut caller: Caller<'_, Host>| {
            let callback = caller.get_export("callback").and_then(Extern::into_func).unwrap();
            callback.call(&mut caller, &[], &mut [])
        });
        let module = Module::new(&engine, &module.wasm).unwrap();
        let imports: Vec<Extern> = module
            .imports()
            .map(|import| match (import.module(), import.name()) {
                REFILL => refill.into(),
                ("prims", "dlopen") => dlopen.into(),
                other => panic!("unexpected import {other:?}"),
            })
            .collect();
        let main = Instance::new(&mut store, &module, &imports).unwrap();
        Running { store, main, refill }
    }

    /// An initialized main module.
    pub(super) fn new(wat: &str, limit: i64) -> Running {
        let mut running = Running::shell(wat, limit);
        running.call(INIT_MEMORY).unwrap();
        running
    }

    pub(super) fn call(&mut self, name: &str) -> wasmtime::Result<()> {
        self.main
            .get_typed_func::<(), ()>(&mut self.store, name)?
            .call(&mut self.store, ())
    }

    pub(super) fn call_with(&mut self, name: &str, argument: i32) -> wasmtime::Result<i32> {
        self.main
            .get_typed_func::<i32, i32>(&mut self.store, name)?
            .call(&mut self.store, argument)
    }

    pub(super) fn memory(&mut self) -> Memory {
        self.main.get_memory(&mut self.store, "memory").unwrap()
    }

    pub(super) fn byte(&mut self, at: usize) -> u8 {
        let memory = self.memory();
        memory.data(&self.store)[at]
    }

    /// What was charged so far.
    pub(super) fn used(&mut self) -> i64 {
        let budget = self.main.get_global(&mut self.store, BUDGET).unwrap();
        self.store.data().granted - budget.get(&mut self.store).unwrap_i64()
    }
}
