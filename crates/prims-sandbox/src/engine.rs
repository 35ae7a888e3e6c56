//! How WebAssembly is compiled and run: one configuration for everything, every knob with its reason.

use crate::memory::Creator;
use std::num::NonZeroUsize;
use std::sync::Arc;
use wasmtime::{Collector, Config, Engine, InstanceAllocationStrategy, Module, OptLevel, Strategy, WasmFeatures};

/// Native stack a guest may use. CPython's C recursion limit is reached well before; exceeding this is a trap.
pub(crate) const WASM_STACK: usize = 4 << 20;

/// A 32-bit memory's whole address space, so that a load or store needs no bounds check, only the guard behind it.
const MEMORY_RESERVATION: u64 = 4 << 30;

/// Exception objects live here, a few dozen bytes each; a guest that keeps more alive than this traps.
const EXCEPTION_HEAP: u64 = 1 << 20;

/// What a module may use, and nothing else: what CPython, its C libraries and extension modules are compiled to.
pub(crate) fn wasm_features() -> WasmFeatures {
    WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::SIMD
        | WasmFeatures::FLOATS
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::EXCEPTIONS
        | WasmFeatures::GC_TYPES
}

fn config() -> Config {
    let mut config = Config::new();
    // Cranelift at full optimization: the guest is compiled once and run many times. The single-pass compiler is not built in.
    config.strategy(Strategy::Cranelift);
    config.cranelift_opt_level(OptLevel::Speed);
    config.parallel_compilation(true);

    // Proposals nobody needs are off, each a smaller surface: threads, 64-bit and multiple memories, tail calls, garbage-collected
    // types, relaxed SIMD, stack switching, custom page sizes, wide arithmetic, components.
    config.wasm_features(WasmFeatures::all(), false);
    config.wasm_features(wasm_features(), true);
    // Metering's slow paths are marked as unlikely, which keeps them out of the way of the code that runs.
    config.wasm_branch_hinting(true);

    // Fuel, deadline and cancellation are one mechanism: the transform's budget. wasmtime's own two would cost their sum.
    config.consume_fuel(false);
    config.epoch_interruption(false);

    // A guest's native stack. Whoever calls into a guest has this much left plus room for the host's own frames.
    config.max_wasm_stack(WASM_STACK);
    // Never used (all calls are synchronous), but checked against the above.
    config.async_stack_size(WASM_STACK + (1 << 20));
    config.concurrency_support(false);

    // Memories are ours: copy-on-write views of images, reset in place. wasmtime's own copy-on-write is for its own mappings.
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    config.memory_init_cow(false);
    config.with_host_memory(Arc::new(Creator {
        linear_memory_reservation: MEMORY_RESERVATION as usize,
    }));
    // Never traded for density: with them every out-of-bounds access is a fault, whatever the index.
    config.memory_reservation(MEMORY_RESERVATION);
    config.memory_guard_size(32 << 20);
    config.guard_before_linear_memory(true);
    config.memory_may_move(false);
    config.signals_based_traps(true);
    // The interpreter's table has thousands of entries of which a run uses few.
    config.table_lazy_init(true);

    // Exceptions are objects of a garbage-collected heap; nothing else of it is used. References are counted, so that a loop which
    // throws does not run out.
    config.gc_support(true);
    config.collector(Collector::DeferredReferenceCounting);
    config.gc_heap_reservation(EXCEPTION_HEAP);
    config.gc_heap_guard_size(0);
    config.gc_heap_reservation_for_growth(0);
    config.gc_heap_may_move(false);

    // A trap says what happened; frames of the interpreter's C code tell a user nothing, so little is kept to find them.
    config.wasm_backtrace_max_frames(NonZeroUsize::new(16));
    config.generate_address_map(false);
    config.native_unwind_info(false);
    config.debug_info(false);
    // Bit patterns of NaN may differ between machines; nothing of ours depends on them, and it costs every float operation.
    config.cranelift_nan_canonicalization(false);
    config
}

pub(crate) fn engine() -> wasmtime::Result<Engine> {
    let mut config = config();
    if machine_has_level() {
        for_level(&mut config)?;
    }
    Engine::new(&config)
}

/// What x86-64-v3 has beyond x86-64, in cranelift's words. Code is made for this much of the architecture and nothing beyond, where the machine has it: then what
/// one machine compiled fits nearly every other, so that a cache can be shared and a package can bring it along. On other machines, and other
/// architectures, code is made for exactly the machine it is compiled on.
const LEVEL: [&str; 12] = [
    "has_sse3",
    "has_ssse3",
    "has_sse41",
    "has_sse42",
    "has_popcnt",
    "has_cmpxchg16b",
    "has_avx",
    "has_avx2",
    "has_fma",
    "has_bmi1",
    "has_bmi2",
    "has_lzcnt",
];

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn machine_has_level() -> bool {
    use std::arch::is_x86_feature_detected as has;
    // In the order of `LEVEL`.
    let sse = has!("sse3") && has!("ssse3") && has!("sse4.1") && has!("sse4.2");
    let avx = has!("avx") && has!("avx2") && has!("fma");
    sse && has!("popcnt") && has!("cmpxchg16b") && avx && has!("bmi1") && has!("bmi2") && has!("lzcnt")
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
fn machine_has_level() -> bool {
    false
}

#[allow(unsafe_code)]
fn for_level(config: &mut Config) -> wasmtime::Result<()> {
    // A target that is named is one whose features are not taken from this machine.
    let environment = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
    config.target(&format!("x86_64-unknown-linux-{environment}"))?;
    for flag in LEVEL {
        // SAFETY: the flag says that the machine has some instructions, which was found out before; the engine compares it with the machine once more.
        unsafe { config.cranelift_flag_enable(flag) };
    }
    Ok(())
}

/// Everything about the engine that compiled code and images depend on: its version, the target, every setting above.
pub(crate) fn compatibility(engine: &Engine) -> Vec<u8> {
    use std::hash::{Hash, Hasher};
    /// Collects what is hashed, so that the cache's own strong hash can be taken of it.
    struct Collect(Vec<u8>);
    impl Hasher for Collect {
        fn finish(&self) -> u64 {
            0
        }
        fn write(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
    }
    let mut collect = Collect(vec![]);
    engine.precompile_compatibility_hash().hash(&mut collect);
    collect.0
}

/// Maps code this program compiled.
#[allow(unsafe_code)]
pub(crate) fn load(engine: &Engine, file: std::fs::File) -> wasmtime::Result<Module> {
    // SAFETY: the bytes were written by `precompile_module` of an engine with the same compatibility hash (it is part of the
    // cache key), their digest was verified on this very file handle, and entries of the cache are never modified: they
    // are read-only in a folder only this user can write.
    unsafe { Module::deserialize_open_file(engine, file) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime::RegallocAlgorithm;

    #[test]
    fn the_settings_are_what_they_should_be() {
        let config = engine().unwrap();
        assert_eq!(config.get_strategy(), Some(Strategy::Cranelift));
        assert_eq!(config.get_cranelift_opt_level(), Some(OptLevel::Speed));
        assert_ne!(
            config.get_cranelift_regalloc_algorithm(),
            Some(RegallocAlgorithm::SinglePass)
        );
        assert!(!config.get_consume_fuel() && !config.get_epoch_interruption());
        assert_eq!(config.get_max_wasm_stack(), WASM_STACK);
        assert!(!config.get_memory_init_cow() && !config.get_memory_may_move());
        assert_eq!(config.get_memory_reservation(), 4 << 30);
        assert_eq!(config.get_memory_guard_size(), 32 << 20);
        assert!(config.get_guard_before_linear_memory() && config.get_signals_based_traps());
        assert!(config.get_table_lazy_init() && config.get_wasm_branch_hinting());
        assert_eq!(config.get_collector(), Some(Collector::DeferredReferenceCounting));
        assert_eq!(config.get_gc_heap_reservation(), EXCEPTION_HEAP);
        assert!(!config.get_gc_heap_may_move() && !config.get_concurrency_support() && !config.get_shared_memory());
        assert!(!config.get_generate_address_map() && !config.get_debug_info() && !config.get_guest_debug());
        assert_eq!(config.get_wasm_backtrace_max_frames(), 16);
        assert!(config.get_pooling_config().is_none());
        assert_eq!(config.get_cranelift_flags_set().count(), 0);
        let flags = config.get_cranelift_flags_enabled().count();
        assert_eq!(flags, if machine_has_level() { LEVEL.len() } else { 0 });
        assert_eq!(config.get_wasm_features(), wasm_features());
    }

    #[test]
    fn proposals_that_nobody_needs_are_refused() {
        let engine = engine().unwrap();
        for (proposal, module) in [
            ("threads", "(module (memory 1 1 shared))"),
            ("memory64", "(module (memory i64 1))"),
            ("multi-memory", "(module (memory 1) (memory 1))"),
            ("tail calls", "(module (func $f return_call $f))"),
            (
                "function references",
                "(module (type $t (func)) (func (param (ref $t)) (call_ref $t (local.get 0))))",
            ),
            ("garbage-collected types", "(module (type (struct (field i32))))"),
            (
                "relaxed SIMD",
                "(module (func (param v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 0))))",
            ),
            ("custom page sizes", "(module (memory 1 (pagesize 1)))"),
            (
                "wide arithmetic",
                "(module (func (param i64 i64 i64 i64) (result i64 i64) (i64.add128 (local.get 0) (local.get 1) (local.get 2) (local.get 3))))",
            ),
            ("stack switching", "(module (type $f (func)) (type $c (cont $f)))"),
            ("components", "(component)"),
        ] {
            let wasm = wat::parse_str(module).unwrap();
            assert!(Module::new(&engine, wasm).is_err(), "{proposal} is accepted");
        }
        let accepted = wat::parse_str("(module (tag $t) (func try_table (catch $t 0) end))").unwrap();
        Module::new(&engine, accepted).unwrap();
    }
}
