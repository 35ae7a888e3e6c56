//! Whether a native module can be used here, found out without compiling it.
//!
//! Wheels for other WebAssembly builds of Python have side modules of the same shape as ours. Whether one fits is a question of
//! its imports: all of them must be there, and of the same types.

use crate::host::TABLE_ELEMENTS;
use crate::transform::{self, ExportKind, Import, ImportKind, ModuleInfo, Role, SlotKind};
use std::collections::HashMap;

/// Bytes of data a module may have: half of what a run may use by default, so that it leaves room for doing something.
const MAX_DATA: u64 = 256 << 20;

/// Names listed in a message.
const LISTED: usize = 5;

/// Why a native module cannot be used with this guest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SideModuleProblem {
    /// It is no module, or one of a kind that is not accepted.
    #[error("{0}")]
    Unsupported(String),
    /// It refers to what neither the guest nor itself defines: functions, data, tags.
    #[error("imports {}, which this guest does not have", listed(.0))]
    Missing(Vec<String>),
    /// It imports something of a type that it does not have.
    #[error("imports `{name}` as {expected}, which is {found} in this guest")]
    Type {
        /// The name.
        name: String,
        /// What the module expects.
        expected: String,
        /// What the guest has.
        found: String,
    },
    /// It wants more than a module may have.
    #[error("wants {found} {what}, at most {limit} are accepted")]
    TooMuch {
        /// What, in the plural.
        what: &'static str,
        /// How many it wants.
        found: u64,
        /// How many are accepted.
        limit: u64,
    },
    /// It depends on a library, which would have to be loaded before it.
    #[error("needs the library `{0}`, and libraries that are not Python modules are not loaded")]
    Library(String),
}

impl SideModuleProblem {
    /// What to do about it.
    pub fn hint(&self) -> String {
        "use a version of the package without native code, or one that is built for this guest".into()
    }
}

/// In the names of Emscripten's C++ library, whose objects are laid out in another way than those of the guest's, `std::__1`.
const OTHER_LIBRARY: &str = "St3__2";

/// Names for a message: all of them if there are few, those of the C++ library as one.
fn listed(names: &[String]) -> String {
    let (library, names): (Vec<_>, Vec<_>) = names.iter().partition(|name| name.contains(OTHER_LIBRARY));
    let mut parts: Vec<String> = names.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    if names.len() > LISTED {
        parts.push(format!("{} more symbols", names.len() - LISTED));
    }
    if !library.is_empty() {
        parts.push(format!("{} symbols of another C++ library (`std::__2`)", library.len()));
    }
    match parts.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => parts.join(""),
    }
}

/// Checks a module against the interpreter it would be linked to.
pub(crate) fn check(wasm: &[u8], guest: &ModuleInfo) -> Result<(), SideModuleProblem> {
    let module = transform::inspect(wasm, Role::Side, Some(guest))
        .map_err(|error| SideModuleProblem::Unsupported(error.to_string()))?;
    let free = TABLE_ELEMENTS as u64 - guest.table.map_or(0, |table| table.initial);
    for (what, found, limit) in [
        ("bytes of data", u64::from(module.memory_size), MAX_DATA),
        ("entries of the function table", u64::from(module.table_size), free),
    ] {
        if found > limit {
            return Err(SideModuleProblem::TooMuch { what, found, limit });
        }
    }
    if let Some(library) = module.needed.first() {
        return Err(SideModuleProblem::Library(library.clone()));
    }
    imports(&module, guest)
}

fn imports(module: &ModuleInfo, guest: &ModuleInfo) -> Result<(), SideModuleProblem> {
    let own: HashMap<&str, &ExportKind> = module.exports.iter().map(|e| (e.name.as_str(), &e.kind)).collect();
    let theirs: HashMap<&str, &ExportKind> = guest.exports.iter().map(|e| (e.name.as_str(), &e.kind)).collect();
    let mut missing = vec![];
    for import in module.imports.iter().filter(|import| !is_linkers(import)) {
        let Some(found) = theirs.get(import.name.as_str()) else {
            missing.push(import.name.clone());
            continue;
        };
        let (expected, found) = (of_import(&import.kind), of_export(found));
        if expected != found {
            let name = import.name.clone();
            return Err(SideModuleProblem::Type { name, expected, found });
        }
    }
    for slot in module.slots.iter().filter(|slot| !slot.weak) {
        let (name, is_function) = match &slot.what {
            SlotKind::GotMem(name) => (name, false),
            SlotKind::GotFunc(name) => (name, true),
            _ => continue,
        };
        let found = theirs.get(name.as_str()).into_iter().chain(own.get(name.as_str()));
        let mut fits = found.map(|kind| match kind {
            ExportKind::Function(_) => is_function,
            ExportKind::Data(_) => !is_function,
            _ => false,
        });
        if !fits.any(|fits| fits) {
            missing.push(name.clone());
        }
    }
    missing.sort();
    missing.dedup();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(SideModuleProblem::Missing(missing)),
    }
}

/// What the linker itself provides; that these have the right types was checked when the module was read.
fn is_linkers(import: &Import) -> bool {
    let kind = matches!(import.kind, ImportKind::Memory | ImportKind::Table | ImportKind::Global);
    kind || (import.module.as_str(), import.name.as_str()) == transform::REFILL
}

fn of_import(kind: &ImportKind) -> String {
    match kind {
        ImportKind::Function(signature) => format!("a function ({signature})"),
        ImportKind::Tag(signature) => format!("a tag ({signature})"),
        ImportKind::Table => "a table".into(),
        ImportKind::Memory => "a memory".into(),
        ImportKind::Global => "a global".into(),
    }
}

fn of_export(kind: &ExportKind) -> String {
    match kind {
        ExportKind::Function(signature) => format!("a function ({signature})"),
        ExportKind::Tag(signature) => format!("a tag ({signature})"),
        ExportKind::Data(_) => "data".into(),
        ExportKind::Global => "a global".into(),
        ExportKind::Table => "a table".into(),
        ExportKind::Memory => "a memory".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUEST: &str = r#"(module
        (memory (export "memory") 2)
        (table (export "__indirect_function_table") 4 funcref)
        (global (export "__stack_pointer") (mut i32) (i32.const 65536))
        (global (export "data") i32 (i32.const 1024))
        (tag (export "__cpp_exception") (param i32))
        (func (export "siprintf") (param i32 i32 i32) (result i32) (i32.const 0))
        (func (export "twice") (param i32) (result i32) (local.get 0)))"#;

    fn checked(module: &str) -> Result<(), SideModuleProblem> {
        let guest = transform::inspect(&wat::parse_str(GUEST).unwrap(), Role::Main, None).unwrap();
        check(&wat::parse_str(module).unwrap(), &guest)
    }

    fn problem(mem_info: &str, rest: &str) -> String {
        let module = format!(r#"(module (@dylink.0 {mem_info}) (import "env" "memory" (memory 1)) {rest})"#);
        checked(&module).unwrap_err().to_string()
    }

    #[test]
    fn a_module_that_fits() {
        checked(
            r#"(module (@dylink.0 (mem-info (memory 100 4) (table 3 0)) (import-info "GOT.mem" "maybe" binding-weak))
                (import "env" "memory" (memory 1))
                (import "env" "__indirect_function_table" (table 0 funcref))
                (import "env" "__stack_pointer" (global (mut i32)))
                (import "env" "__memory_base" (global i32))
                (import "env" "__table_base" (global i32))
                (import "env" "twice" (func (param i32) (result i32)))
                (import "env" "siprintf" (func (param i32 i32 i32) (result i32)))
                (import "env" "weak" (func $weak (param i64)))
                (import "env" "__cpp_exception" (tag (param i32)))
                (import "GOT.mem" "data" (global (mut i32)))
                (import "GOT.mem" "mine" (global (mut i32)))
                (import "GOT.mem" "maybe" (global (mut i32)))
                (import "GOT.func" "twice" (global (mut i32)))
                (import "GOT.func" "weak" (global (mut i32)))
                (global (export "mine") i32 (i32.const 8))
                (func (export "weak") (param i64))
                (func try (call $weak (i64.const 1)) catch_all end))"#,
        )
        .unwrap();
    }

    #[test]
    fn what_is_missing_is_named() {
        let imports = r#"(import "env" "emscripten_longjmp" (func)) (import "GOT.mem" "gone" (global (mut i32)))"#;
        let expected = "imports `emscripten_longjmp` and `gone`, which this guest does not have";
        assert_eq!(problem("(mem-info)", imports), expected);
        let many: String = (1..=8).map(|k| format!(r#"(import "env" "f{k}" (func))"#)).collect();
        let expected = "imports `f1`, `f2`, `f3`, `f4`, `f5` and 3 more symbols, which this guest does not have";
        assert_eq!(problem("(mem-info)", &many), expected);
        let imports = r#"(import "env" "_ZNSt3__25mutex4lockEv" (func)) (import "env" "_ZNSt3__24coutE" (func)) (import "env" "a" (func))"#;
        let expected = "imports `a` and 2 symbols of another C++ library (`std::__2`), which this guest does not have";
        assert_eq!(problem("(mem-info)", imports), expected);
        // Data where a function is wanted, and the other way round.
        let imports = r#"(import "GOT.func" "data" (global (mut i32))) (import "GOT.mem" "twice" (global (mut i32)))"#;
        let expected = "imports `data` and `twice`, which this guest does not have";
        assert_eq!(problem("(mem-info)", imports), expected);
    }

    #[test]
    fn types_must_be_the_same() {
        let cases = [
            (
                r#"(import "env" "twice" (func (param i64) (result i32)))"#,
                "imports `twice` as a function (I:i), which is a function (i:i) in this guest",
            ),
            (
                r#"(import "env" "__cpp_exception" (tag (param i64)))"#,
                "imports `__cpp_exception` as a tag (I:), which is a tag (i:) in this guest",
            ),
            (
                r#"(import "env" "data" (func))"#,
                "imports `data` as a function (:), which is data in this guest",
            ),
        ];
        for (import, expected) in cases {
            assert_eq!(problem("(mem-info)", import), expected);
        }
    }

    #[test]
    fn what_a_module_wants_is_bounded() {
        let problems = [
            (
                "(mem-info (memory 268435457 0))",
                "wants 268435457 bytes of data, at most 268435456 are accepted",
            ),
            (
                "(mem-info (table 262141 0))",
                "wants 262141 entries of the function table, at most 262140 are accepted",
            ),
            ("(mem-info (memory 1 17))", "alignment"),
            (r#"(mem-info) (needed "libgeos.so")"#, "needs the library `libgeos.so`"),
        ];
        for (mem_info, expected) in problems {
            let problem = problem(mem_info, "");
            assert!(problem.contains(expected), "{problem}");
        }
        let problem = checked("(module)").unwrap_err();
        assert!(problem.to_string().contains("dylink.0"), "{problem}");
        assert!(check(b"\x7fELF", &ModuleInfo::default()).is_err());
    }
}
