//! What a linker has to know about a module.

use super::globals::{Globals, is_kept};
use super::{BUDGET, Export, ExportKind, Import, ImportKind, Limits, ModuleInfo, REFILL, Role, scan::Scan, signature};
use wasmparser::{ExternalKind, Operator, TypeRef};

/// Describes the module that `rewrite` makes of this one.
pub(super) fn describe(scan: &Scan, role: Role, globals: &Globals) -> ModuleInfo {
    let mut info = ModuleInfo {
        slots: globals.slots.iter().map(|(slot, _)| slot.clone()).collect(),
        imports: imports(scan, role),
        exports: exports(scan),
        memory: scan.memories.first().map(|memory| Limits {
            initial: memory.initial,
            maximum: memory.maximum,
        }),
        table: scan.tables.first().map(|table| Limits {
            initial: table.ty.initial,
            maximum: table.ty.maximum,
        }),
        needed: scan.dylink.needed.iter().map(|name| (*name).to_owned()).collect(),
        changes_tables: scan.bodies.iter().any(changes_tables),
        ..ModuleInfo::default()
    };
    if let (Role::Side, Some(memory)) = (role, &scan.dylink.memory) {
        let align = |power: u32| 1u32.checked_shl(power).unwrap_or(1);
        info.memory_size = memory.memory_size;
        info.memory_align = align(memory.memory_alignment).max(16);
        info.table_size = memory.table_size;
        info.table_align = align(memory.table_alignment);
    }
    info
}

fn changes_tables(body: &wasmparser::FunctionBody) -> bool {
    use Operator as O;
    let changes = |operator: wasmparser::Result<O>| {
        matches!(
            operator,
            Err(_)
                | Ok(O::TableSet { .. } | O::TableGrow { .. } | O::TableFill { .. } | O::TableCopy { .. })
                | Ok(O::TableInit { .. } | O::ElemDrop { .. } | O::DataDrop { .. })
        )
    };
    let operators = body.get_operators_reader();
    operators.map_or(true, |operators| operators.into_iter().any(changes))
}

fn imports(scan: &Scan, role: Role) -> Vec<Import> {
    let import = |(module, name): (&str, &str), kind, weak| Import {
        module: module.to_owned(),
        name: name.to_owned(),
        kind,
        weak,
    };
    let mut imports = Vec::new();
    for kept in scan.imports.iter().filter(|import| is_kept(import)) {
        let kind = match kept.ty {
            TypeRef::Func(ty) | TypeRef::FuncExact(ty) => ImportKind::Function(type_of(scan, ty)),
            TypeRef::Table(_) => ImportKind::Table,
            TypeRef::Memory(_) => ImportKind::Memory,
            TypeRef::Global(_) => ImportKind::Global,
            TypeRef::Tag(ty) => ImportKind::Tag(type_of(scan, ty.func_type_idx)),
        };
        let weak = scan.dylink.weak.contains(&(kept.module, kept.name));
        imports.push(import((kept.module, kept.name), kind, weak));
    }
    if lacks_memory(scan) {
        imports.push(import(("env", "memory"), ImportKind::Memory, false));
    }
    imports.push(import(REFILL, ImportKind::Function("I:I".to_owned()), false));
    if role == Role::Side {
        imports.push(import(("env", BUDGET), ImportKind::Global, false));
    }
    imports
}

/// Whether a module has no memory at all, neither its own nor imported. The added functions need one.
pub(super) fn lacks_memory(scan: &Scan) -> bool {
    scan.memories.is_empty() && !scan.imports.iter().any(|i| matches!(i.ty, TypeRef::Memory(_)))
}

fn exports(scan: &Scan) -> Vec<Export> {
    let mut exports = Vec::new();
    for export in &scan.exports {
        let kind = match export.kind {
            ExternalKind::Func | ExternalKind::FuncExact => {
                ExportKind::Function(scan.function_type(export.index).map(signature).unwrap_or_default())
            }
            ExternalKind::Table => ExportKind::Table,
            ExternalKind::Memory => ExportKind::Memory,
            ExternalKind::Global => match address(scan, export.index) {
                Some(address) => ExportKind::Data(address),
                None => ExportKind::Global,
            },
            ExternalKind::Tag => {
                let ty = scan.tag_types.get(export.index as usize);
                ExportKind::Tag(ty.map(|ty| type_of(scan, *ty)).unwrap_or_default())
            }
        };
        exports.push(Export {
            name: export.name.to_owned(),
            kind,
        });
    }
    exports
}

/// The value of a global that is an immutable i32 constant.
fn address(scan: &Scan, global: u32) -> Option<u32> {
    let defined = (global as usize).checked_sub(scan.imported_globals.len())?;
    let global = scan.globals.get(defined).filter(|global| !global.ty.mutable)?;
    let mut operators = global.init_expr.get_operators_reader();
    let Ok(Operator::I32Const { value }) = operators.read() else {
        return None;
    };
    operators.is_end_then_eof().then_some(value as u32)
}

fn type_of(scan: &Scan, ty: u32) -> String {
    scan.types.get(ty as usize).map(signature).unwrap_or_default()
}
