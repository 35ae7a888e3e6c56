//! The globals of the new module: which there are, in what order, and which of them are saved.

use super::{BUDGET, Role, Slot, SlotKind, SlotType, TransformError, rewrite::Indices, scan::Scan};
use wasm_encoder::reencode::Reencode;
use wasm_encoder::{ConstExpr, GlobalSection, GlobalType, ValType};
use wasmparser::{Operator, TypeRef};

/// The type of the budget.
pub(super) const BUDGET_TYPE: GlobalType = GlobalType {
    val_type: ValType::I64,
    mutable: true,
    shared: false,
};

/// The globals of the new module: imported ones (in a side module, the budget is the last of them), the former imports of a side module,
/// the defined ones, in a main module the budget.
#[derive(Default)]
pub(super) struct Globals {
    /// The new index of each global.
    pub(super) map: Vec<u32>,
    /// The index of the budget.
    pub(super) budget: u32,
    /// How many imports of a side module became globals of its own.
    converted: usize,
    /// For each global that is defined: whether its first value depends on a former import, so that it can only be set
    /// when that is known.
    pub(super) deferred: Vec<bool>,
    /// What is saved, with the new index of the global.
    pub(super) slots: Vec<(Slot, u32)>,
}

impl Globals {
    pub(super) fn new(scan: &Scan, role: Role) -> Result<Self, TransformError> {
        let mut globals = Self::default();
        let former = former_imports(scan);
        let imported = former.iter().filter(|slot| slot.is_none()).count() as u32;
        let mut next_import = 0..imported;
        let mut next = imported + u32::from(role == Role::Side)..u32::MAX;
        for slot in former {
            let range = if slot.is_some() { &mut next } else { &mut next_import };
            let index = range.next().unwrap_or(u32::MAX);
            globals.map.push(index);
            if let Some(slot) = slot {
                globals.converted += 1;
                globals.slots.push((slot, index));
            }
        }
        for (k, (global, index)) in scan.globals.iter().zip(&mut next).enumerate() {
            globals.map.push(index);
            let deferred = reads_global(&global.init_expr)?;
            globals.deferred.push(deferred);
            if global.ty.mutable || deferred {
                let ty = slot_type(global.ty.content_type).ok_or_else(|| {
                    let index = (scan.imported_globals.len() + k) as u32;
                    TransformError::GlobalType {
                        index,
                        ty: global.ty.content_type.to_string(),
                    }
                })?;
                globals.slots.push((
                    Slot {
                        what: SlotKind::Internal,
                        ty,
                        weak: false,
                    },
                    index,
                ));
            }
        }
        globals.budget = match role {
            Role::Main => next.next().unwrap_or(u32::MAX),
            Role::Side => imported,
        };
        Ok(globals)
    }

    /// The globals that are defined.
    pub(super) fn section(
        &self,
        scan: &Scan,
        role: Role,
        indices: &mut Indices,
    ) -> Result<GlobalSection, TransformError> {
        let mut section = GlobalSection::new();
        let i32 = GlobalType {
            val_type: ValType::I32,
            mutable: true,
            shared: false,
        };
        for _ in 0..self.converted {
            section.global(i32, &ConstExpr::i32_const(0));
        }
        for (global, deferred) in scan.globals.iter().zip(&self.deferred) {
            if *deferred {
                section.global(i32, &ConstExpr::i32_const(0));
            } else {
                let init = indices.const_expr(global.init_expr.clone())?;
                section.global(indices.global_type(global.ty)?, &init);
            }
        }
        if role == Role::Main {
            section.global(BUDGET_TYPE, &ConstExpr::i64_const(0));
        }
        Ok(section)
    }
}

/// Whether a constant expression reads a global. Only immutable imports can be read there, and all of those are former imports.
fn reads_global(expression: &wasmparser::ConstExpr) -> Result<bool, TransformError> {
    for operator in expression.get_operators_reader() {
        if let Operator::GlobalGet { .. } = operator? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// For each imported global: what it stands for, if it becomes a global of the module's own.
fn former_imports(scan: &Scan) -> Vec<Option<Slot>> {
    let globals = scan
        .imports
        .iter()
        .filter(|import| matches!(import.ty, TypeRef::Global(_)));
    let slot = |import: &wasmparser::Import| {
        let what = match (import.module, import.name) {
            ("GOT.mem", name) => SlotKind::GotMem(name.to_owned()),
            ("GOT.func", name) => SlotKind::GotFunc(name.to_owned()),
            ("env", "__memory_base") => SlotKind::MemoryBase,
            ("env", "__table_base") => SlotKind::TableBase,
            _ => return None,
        };
        let weak = scan.dylink.weak.contains(&(import.module, import.name));
        Some(Slot {
            what,
            ty: SlotType::I32,
            weak,
        })
    };
    globals.map(slot).collect()
}

fn slot_type(ty: wasmparser::ValType) -> Option<SlotType> {
    match ty {
        wasmparser::ValType::I32 => Some(SlotType::I32),
        wasmparser::ValType::I64 => Some(SlotType::I64),
        wasmparser::ValType::F32 => Some(SlotType::F32),
        wasmparser::ValType::F64 => Some(SlotType::F64),
        wasmparser::ValType::V128 | wasmparser::ValType::Ref(_) => None,
    }
}

/// Whether an import is kept; the others become globals.
pub(super) fn is_kept(import: &wasmparser::Import) -> bool {
    match (import.module, import.name) {
        ("env", "__memory_base" | "__table_base") => !matches!(import.ty, TypeRef::Global(_)),
        ("GOT.mem" | "GOT.func", _) => false,
        _ => import.name != BUDGET,
    }
}
