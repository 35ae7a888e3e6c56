//! Rewrites a linked WebAssembly module into the one form the host instantiates.
//!
//! The output differs from the input in four ways:
//!
//! * **Instantiating it writes nothing to memory.** Active data segments become passive, the start function is
//!   dropped, and an added `__prims_init_memory` does what both did. Instantiating alone therefore restores an image
//!   (the memory is mapped from it), instantiating and calling `__prims_init_memory` starts from scratch.
//! * **Everything outside linear memory can be saved in it.** `__prims_save_globals(ptr)` writes every mutable global
//!   to memory, 8 bytes each in the order of [`ModuleInfo::slots`], and `__prims_restore(ptr)` reads them back.
//! * **A side module has few imports.** Its bases and its `GOT.*` entries become globals of its own, which are set like
//!   all others, and its active element segments become passive, written by `__prims_restore`.
//! * **It counts.** A budget is decremented by the work that is done; when it goes below zero, the host is asked.
//!   See [`meter`] for what is counted where, and why code that was written to escape it cannot.
//!
//! Before that, two things that toolchains emit and the engine does not take or the linker does not need go away: exception
//! instructions of the [legacy] form, and imports of a side module's own [weak] functions.
//!
//! # The functions a transformed module exports
//!
//! | export | what it does |
//! |---|---|
//! | `__prims_save_globals(ptr)` | writes the globals to memory |
//! | `__prims_load_globals(ptr)` | sets the globals from memory |
//! | `__prims_restore(ptr)` | the same; in a side module, writes the element segments to the table after that |
//! | `__prims_init_memory()` | writes the data segments, then calls the module's start function |
//!
//! Every module exports all four, whatever its role. `ptr` needs room for `8 * slots.len()` bytes, aligned to 4.
//!
//! * *From scratch*, a main module: instantiate, `init_memory`.
//! * *From scratch*, a side module: instantiate, `save_globals(ptr)`, write the bases and the `GOT.*` entries to their slots (the
//!   others are the module's own first values), `restore(ptr)`, `init_memory`.
//! * *Snapshot*: `save_globals(ptr)`. *From an image*: instantiate, give the table its final size, `restore(ptr)`.
//! * *Once more*, when the memory was made what it is in the image: `load_globals(ptr)`, if nothing was linked and no module
//!   [changes](ModuleInfo::changes_tables) more than memory and globals.
//!
//! Names that begin with `__prims_` are refused in the input, and what is added is not in [`ModuleInfo::exports`], so no module
//! can be linked to it by name.
//!
//! # The budget
//!
//! A main module defines the mutable i64 global `__prims_budget`, first value 0, exports it, and imports
//! `prims.refill: (i64) -> i64`; side modules import both (the budget as `env.__prims_budget`). When the budget is below
//! zero, the guest calls `refill` with it and goes on with the value that is returned; a host that wants to stop traps instead.
//! The work done between two looks at the budget is the difference, with its sign: `used = granted - budget`, and since the guest may be
//! in debt, `refill(budget)` should return `slice + budget`. The budget may briefly exceed what was granted, because a frame gives
//! back what it paid in advance.

mod body;
mod callgraph;
mod cost;
mod describe;
mod effort;
mod error;
mod globals;
mod glue;
mod legacy;
mod meter;
mod rewrite;
mod scan;
mod weak;

#[cfg(test)]
mod tests;

pub(crate) use error::TransformError;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Changes whenever the same input gives another output, so that nothing made by an older build is used.
pub(crate) const VERSION: u32 = 5;

/// The module name and the name of the host function that is asked for more budget: `(i64) -> i64`.
pub(crate) const REFILL: (&str, &str) = ("prims", "refill");
/// Exported by a main module (`env.` import of a side module): the mutable i64 global that is counted down.
pub(crate) const BUDGET: &str = "__prims_budget";
/// Exported function `(ptr: i32)`: writes all globals that have a slot to memory.
pub(crate) const SAVE_GLOBALS: &str = "__prims_save_globals";
/// Exported function `(ptr: i32)`: sets all globals that have a slot from memory.
pub(crate) const LOAD_GLOBALS: &str = "__prims_load_globals";
/// Exported function `(ptr: i32)`: brings a fresh instance to the state of an image whose memory is already in place.
pub(crate) const RESTORE: &str = "__prims_restore";
/// Exported function `()`: the data segments and the start function of the original module.
pub(crate) const INIT_MEMORY: &str = "__prims_init_memory";

/// What a module is linked as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Defines memory, table and budget, and is linked at fixed addresses. Built by this project, so its code is trusted not to
    /// be *written* to escape metering.
    Main,
    /// Position-independent (`dylink.0`), linked against a main module at run time. Not trusted: any bytes may be given.
    Side,
}

/// Whether code that counts is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meter {
    /// Nothing is counted and nothing can be stopped; for measuring what metering costs. Imports and exports are the same as with metering.
    Off,
    /// Everything is counted.
    On,
}

/// How a module is transformed. The default is what runs untrusted code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TransformOptions<'a> {
    /// The main module a side module will be linked to: it may replace weak functions.
    pub(crate) main: Option<&'a ModuleInfo>,
    /// Keep the names of functions, for profilers and backtraces. All other custom sections are always dropped.
    pub(crate) keep_names: bool,
    /// Whether the output counts.
    pub(crate) meter: Meter,
}

impl Default for TransformOptions<'_> {
    fn default() -> Self {
        Self {
            main: None,
            keep_names: false,
            meter: Meter::On,
        }
    }
}

/// A transformed module.
#[derive(Debug)]
pub(crate) struct Transformed {
    /// The new module.
    pub(crate) wasm: Vec<u8>,
    /// What a linker has to know about it.
    pub(crate) info: ModuleInfo,
    /// What was added to count.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests look at it"))]
    pub(crate) stats: MeterStats,
}

/// What a linker has to know about a transformed module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ModuleInfo {
    /// Bytes of memory a side module needs for its data; 0 for a main module.
    pub(crate) memory_size: u32,
    /// Alignment of that memory in bytes, at least 16; 0 for a main module.
    pub(crate) memory_align: u32,
    /// Table entries a side module needs; 0 for a main module.
    pub(crate) table_size: u32,
    /// Alignment of these entries, at least 1; 0 for a main module.
    pub(crate) table_align: u32,
    /// The libraries a side module names as its dependencies.
    pub(crate) needed: Vec<String>,
    /// The mutable globals, in the order they lie in memory when they are saved, 8 bytes each.
    pub(crate) slots: Vec<Slot>,
    /// Every import that is left, in order.
    pub(crate) imports: Vec<Import>,
    /// What the original module exported, in order; the added exports are not among them.
    pub(crate) exports: Vec<Export>,
    /// Pages (64 KiB) of the memory a main module defines.
    pub(crate) memory: Option<Limits>,
    /// Entries of the first table a main module defines.
    pub(crate) table: Option<Limits>,
    /// Its code can change a table or drop segments: something of an instance that is neither in memory nor in a saved global.
    pub(crate) changes_tables: bool,
}

/// A mutable global that is saved and loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Slot {
    /// What the global stands for.
    pub(crate) what: SlotKind,
    /// Its type, one of `i32`, `i64`, `f32` and `f64`; everything but [`SlotKind::Internal`] is an i32.
    pub(crate) ty: SlotType,
    /// For a `GOT.*` entry: the symbol may be missing, and is 0 then.
    pub(crate) weak: bool,
}

/// What a saved global stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SlotKind {
    /// The address of the data symbol of that name.
    GotMem(String),
    /// The table index of the function of that name.
    GotFunc(String),
    /// The address of the side module's data.
    MemoryBase,
    /// The table index of the side module's first entry.
    TableBase,
    /// A global of the module's own, whose first value the module knows.
    Internal,
}

/// The type of a saved global.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SlotType {
    /// 4 bytes, the upper 4 of the slot are unused.
    I32,
    /// 8 bytes.
    I64,
    /// 4 bytes, the upper 4 of the slot are unused.
    F32,
    /// 8 bytes.
    F64,
}

/// An import that is left in the output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Import {
    /// The module part of its name.
    pub(crate) module: String,
    /// The field part of its name.
    pub(crate) name: String,
    /// What is imported.
    pub(crate) kind: ImportKind,
    /// The symbol is weak: it may be missing.
    pub(crate) weak: bool,
}

/// What is imported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ImportKind {
    /// A function of that [signature](signature).
    Function(String),
    /// The main module's table.
    Table,
    /// The main module's memory.
    Memory,
    /// A mutable global: the stack pointer or the budget.
    Global,
    /// An exception tag of that signature.
    Tag(String),
}

/// An export of the original module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Export {
    /// Its name.
    pub(crate) name: String,
    /// What is exported.
    pub(crate) kind: ExportKind,
}

/// What is exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ExportKind {
    /// A function of that signature.
    Function(String),
    /// An immutable i32 global with this value: the address of a data symbol, relative to the memory base in a side module.
    Data(u32),
    /// Any other global.
    Global,
    /// A table.
    Table,
    /// A memory.
    Memory,
    /// An exception tag of that signature.
    Tag(String),
}

/// The size of a memory or table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Limits {
    /// When it is instantiated.
    pub(crate) initial: u64,
    /// What it may grow to, if the module says so.
    pub(crate) maximum: Option<u64>,
}

/// What was added to count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MeterStats {
    /// Functions the module defines, without the added ones.
    pub(crate) functions: u32,
    /// Functions that look at the budget when they are entered.
    pub(crate) entries: u32,
    /// Of these: functions that were chosen to break a cycle of calls.
    pub(crate) cycle_entries: u32,
    /// Functions that break a cycle by looking at the budget before they call unknown code.
    pub(crate) metered_calls: u32,
    /// Loops; all of them count.
    pub(crate) loops: u32,
    /// Of these: loops without calls in huge functions, which leave it to others to charge.
    pub(crate) counting_loops: u32,
    /// Functions that contain loops, and settle what they counted when they return.
    pub(crate) looping_functions: u32,
    /// Of these: functions that pay in advance because an exception may pass through them.
    pub(crate) prepaid_functions: u32,
    /// Memory and table instructions that charge by their length.
    pub(crate) bulk_operations: u32,
}

/// Transforms `wasm` with the default options.
///
/// # Errors
/// See [`transform_with`].
#[cfg(test)]
pub(crate) fn transform(wasm: &[u8], role: Role) -> Result<Transformed, TransformError> {
    transform_with(wasm, role, TransformOptions::default())
}

/// Transforms `wasm` for its role. The same input and options give the same output, byte for byte.
///
/// # Errors
/// The module is invalid or uses features that are not offered, exceeds a limit, or has imports or definitions its role does not allow.
pub(crate) fn transform_with(
    wasm: &[u8],
    role: Role,
    options: TransformOptions,
) -> Result<Transformed, TransformError> {
    let wasm = prepare(wasm, role, options.main)?;
    let scan = scan::scan(&wasm, role)?;
    let plan = match options.meter {
        Meter::Off => meter::Plan::unmetered(),
        Meter::On => meter::Plan::new(&scan, role)?,
    };
    rewrite::rewrite(&scan, role, &plan, options)
}

/// What a linker would have to know about `wasm`, without transforming it.
///
/// # Errors
/// Those of [`transform_with`].
pub(crate) fn inspect(wasm: &[u8], role: Role, main: Option<&ModuleInfo>) -> Result<ModuleInfo, TransformError> {
    let wasm = prepare(wasm, role, main)?;
    let scan = scan::scan(&wasm, role)?;
    let globals = globals::Globals::new(&scan, role)?;
    Ok(describe::describe(&scan, role, &globals))
}

/// The module in the form that all other passes expect.
fn prepare<'a>(wasm: &'a [u8], role: Role, main: Option<&ModuleInfo>) -> Result<Cow<'a, [u8]>, TransformError> {
    let wasm = legacy::translate(wasm)?;
    if role == Role::Main {
        return Ok(wasm);
    }
    let names = main.into_iter().flat_map(|main| &main.exports);
    let names = names.filter(|export| matches!(export.kind, ExportKind::Function(_)));
    let names = names.map(|export| export.name.as_str()).collect();
    let scan = scan::scan(&wasm, role)?;
    let own = weak::own_functions(&scan, &names);
    if own.is_empty() {
        return Ok(wasm);
    }
    let bound = weak::bind(&wasm, &scan, &own)?;
    Ok(bound.into())
}

/// The compact form of a function type: a letter for each parameter, a colon, a letter for each result. `i` and `I` are i32 and
/// i64, `f` and `F` f32 and f64, `V` v128, `r` any reference.
fn signature(ty: &wasmparser::FuncType) -> String {
    let letter = |ty: &wasmparser::ValType| match ty {
        wasmparser::ValType::I32 => 'i',
        wasmparser::ValType::I64 => 'I',
        wasmparser::ValType::F32 => 'f',
        wasmparser::ValType::F64 => 'F',
        wasmparser::ValType::V128 => 'V',
        wasmparser::ValType::Ref(_) => 'r',
    };
    let params = ty.params().iter().map(letter);
    params.chain([':']).chain(ty.results().iter().map(letter)).collect()
}
