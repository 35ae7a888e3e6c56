//! The functions that are added.

use super::body::Body;
use super::globals::Globals;
use super::meter::{Names, Sink};
use super::rewrite::Indices;
use super::{BUDGET, INIT_MEMORY, LOAD_GLOBALS, RESTORE, Role, SAVE_GLOBALS, SlotType, TransformError, scan::Scan};
use wasm_encoder::reencode::Reencode;
use wasm_encoder::{
    BranchHints, CodeSection, ExportKind, ExportSection, FunctionSection, Instruction, MemArg, TypeSection, ValType,
};
use wasmparser::{DataKind, ElementKind};

/// Types that are added, after those of the module: `(i64) -> i64`, `(i32) -> ()`, `() -> ()`.
pub(super) const REFILL_TYPE: u32 = 0;
const POINTER_TYPE: u32 = 1;
const PLAIN_TYPE: u32 = 2;

/// The added functions in their order, with their types.
const FUNCTIONS: [(&str, u32); 6] = [
    ("__prims_charge", POINTER_TYPE),
    ("__prims_top_up", PLAIN_TYPE),
    (SAVE_GLOBALS, POINTER_TYPE),
    (LOAD_GLOBALS, POINTER_TYPE),
    (RESTORE, POINTER_TYPE),
    (INIT_MEMORY, PLAIN_TYPE),
];
const CHARGE: u32 = 0;
const TOP_UP: u32 = 1;
/// The first of the functions that are exported.
const EXPORTED: usize = 2;
const LOAD: u32 = 3;

/// Where the added things are in the new module.
pub(super) struct Glue {
    /// What the code that counts refers to.
    pub(super) names: Names,
    /// The index of the first added type.
    pub(super) types: u32,
    /// The index of the first added function.
    pub(super) functions: u32,
}

impl Glue {
    pub(super) fn new(scan: &Scan, globals: &Globals) -> Self {
        let functions = scan.functions.len() as u32 + 1;
        let names = Names {
            budget: globals.budget,
            refill: scan.imported_functions,
            charge: functions + CHARGE,
            top_up: functions + TOP_UP,
        };
        Self {
            names,
            types: scan.types.len() as u32,
            functions,
        }
    }

    pub(super) fn types(&self, section: &mut TypeSection) {
        section.ty().function([ValType::I64], [ValType::I64]);
        section.ty().function([ValType::I32], []);
        section.ty().function([], []);
    }

    pub(super) fn functions(&self, section: &mut FunctionSection) {
        for (_, ty) in FUNCTIONS {
            section.function(self.types + ty);
        }
    }

    pub(super) fn exports(&self, role: Role, section: &mut ExportSection) {
        for (index, (name, _)) in (self.functions..).zip(FUNCTIONS).skip(EXPORTED) {
            section.export(name, ExportKind::Func, index);
        }
        if role == Role::Main {
            section.export(BUDGET, ExportKind::Global, self.names.budget);
        }
    }

    /// The names of the added functions, for profilers.
    pub(super) fn function_names(&self) -> impl Iterator<Item = (u32, &'static str)> {
        (self.functions..).zip(FUNCTIONS.map(|(name, _)| name))
    }

    pub(super) fn bodies(
        &self,
        scan: &Scan,
        role: Role,
        globals: &Globals,
        indices: &mut Indices,
        code: &mut CodeSection,
        hints: &mut BranchHints,
    ) -> Result<(), TransformError> {
        let mut charge = Body::new([]);
        self.names.charge_body(&mut charge);
        let mut top_up = Body::new([]);
        self.names.top_up_body(&mut top_up);

        let bodies = [
            charge,
            top_up,
            save(globals),
            load(globals),
            restore(scan, role, self.functions + LOAD, indices)?,
            init_memory(scan, globals, indices)?,
        ];
        for (index, body) in (self.functions..).zip(bodies) {
            body.finish(index, code, hints);
        }
        Ok(())
    }
}

/// Does what instantiating the original module did, apart from the table: sets the globals that could not have their first value
/// before the bases were known, writes the data segments, calls the start function.
fn init_memory(scan: &Scan, globals: &Globals, indices: &mut Indices) -> Result<Body, TransformError> {
    let mut body = Body::new([]);
    for (k, (global, deferred)) in scan.globals.iter().zip(&globals.deferred).enumerate() {
        if *deferred {
            body.raw(&indices.instructions(&global.init_expr)?);
            let index = indices.global_index((scan.imported_globals.len() + k) as u32)?;
            body.put(&Instruction::GlobalSet(index));
        }
    }
    for (data_index, segment) in (0u32..).zip(&scan.data) {
        let DataKind::Active {
            memory_index,
            offset_expr,
        } = &segment.kind
        else {
            continue;
        };
        body.raw(&indices.instructions(offset_expr)?);
        body.put(&Instruction::I32Const(0));
        body.put(&Instruction::I32Const(segment.data.len() as i32));
        body.put(&Instruction::MemoryInit {
            mem: *memory_index,
            data_index,
        });
    }
    if let Some(start) = scan.start {
        body.put(&Instruction::Call(indices.function_index(start)?));
    }
    body.put(&Instruction::End);
    Ok(body)
}

fn place(slot: usize) -> MemArg {
    MemArg {
        offset: 8 * slot as u64,
        align: 2,
        memory_index: 0,
    }
}

/// Sets the globals from memory.
fn load(globals: &Globals) -> Body {
    let mut body = Body::new([]);
    for (k, (slot, index)) in globals.slots.iter().enumerate() {
        body.put(&Instruction::LocalGet(0));
        body.put(&match slot.ty {
            SlotType::I32 => Instruction::I32Load(place(k)),
            SlotType::I64 => Instruction::I64Load(place(k)),
            SlotType::F32 => Instruction::F32Load(place(k)),
            SlotType::F64 => Instruction::F64Load(place(k)),
        });
        body.put(&Instruction::GlobalSet(*index));
    }
    body.put(&Instruction::End);
    body
}

/// Sets the globals from memory, then writes the segments of a side module that were active to the table.
fn restore(scan: &Scan, role: Role, load: u32, indices: &mut Indices) -> Result<Body, TransformError> {
    let mut body = Body::new([]);
    body.put(&Instruction::LocalGet(0));
    body.put(&Instruction::Call(load));
    for (elem_index, element) in (0u32..).zip(&scan.elements) {
        let (
            ElementKind::Active {
                table_index,
                offset_expr,
            },
            Role::Side,
        ) = (&element.kind, role)
        else {
            continue;
        };
        let length = match &element.items {
            wasmparser::ElementItems::Functions(items) => items.count(),
            wasmparser::ElementItems::Expressions(_, items) => items.count(),
        };
        body.raw(&indices.instructions(offset_expr)?);
        body.put(&Instruction::I32Const(0));
        body.put(&Instruction::I32Const(length as i32));
        body.put(&Instruction::TableInit {
            elem_index,
            table: table_index.unwrap_or(0),
        });
    }
    body.put(&Instruction::End);
    Ok(body)
}

fn save(globals: &Globals) -> Body {
    let mut body = Body::new([]);
    for (k, (slot, index)) in globals.slots.iter().enumerate() {
        body.put(&Instruction::LocalGet(0));
        body.put(&Instruction::GlobalGet(*index));
        body.put(&match slot.ty {
            SlotType::I32 => Instruction::I32Store(place(k)),
            SlotType::I64 => Instruction::I64Store(place(k)),
            SlotType::F32 => Instruction::F32Store(place(k)),
            SlotType::F64 => Instruction::F64Store(place(k)),
        });
    }
    body.put(&Instruction::End);
    body
}
