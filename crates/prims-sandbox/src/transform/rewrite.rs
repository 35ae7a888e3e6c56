//! Writes the new module.

use super::glue::{self, Glue};
use super::meter::{FunctionPlan, Names, Plan, Sink, bulk};
use super::{
    BUDGET, Export, ExportKind, Import, ImportKind, Limits, Meter, MeterStats, ModuleInfo, REFILL, Role, Slot,
    SlotKind, SlotType, TransformError, TransformOptions, Transformed, scan::Scan, signature,
};
use std::convert::Infallible;
use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{
    BlockType, BranchHint, BranchHints, CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection,
    Encode, EntityType, ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection,
    Instruction, MemorySection, MemoryType, Module, NameMap, NameSection, TableSection, TagSection, TypeSection,
    ValType,
};
use wasmparser::{DataKind, ElementKind, FunctionBody, Operator, TypeRef};

/// Maps indices of the original module to those of the new one.
pub(super) struct Indices {
    /// Imported functions of the original; the one that is added comes after them.
    imported_functions: u32,
    /// The new index of each global.
    globals: Vec<u32>,
}

impl Reencode for Indices {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, reencode::Error> {
        Ok(function + u32::from(function >= self.imported_functions))
    }

    fn global_index(&mut self, global: u32) -> Result<u32, reencode::Error> {
        // Valid code refers to no other globals; if it did, this would be refused.
        Ok(self.globals.get(global as usize).copied().unwrap_or(u32::MAX))
    }
}

impl Indices {
    /// The instructions of a constant expression, without the end.
    pub(super) fn instructions(&mut self, expression: &wasmparser::ConstExpr) -> Result<Vec<u8>, TransformError> {
        let mut bytes = Vec::new();
        let mut operators = expression.get_operators_reader();
        while !operators.is_end_then_eof() {
            self.parse_instruction(&mut operators)?.encode(&mut bytes);
        }
        Ok(bytes)
    }
}

/// Writes the new module.
pub(super) fn rewrite(
    scan: &Scan,
    role: Role,
    plan: &Plan,
    options: TransformOptions,
) -> Result<Transformed, TransformError> {
    let globals = Globals::new(scan, role)?;
    let mut indices = Indices { imported_functions: scan.imported_functions, globals: globals.map.clone() };
    let mut info = describe(scan, role, &globals);
    let mut module = Module::new();

    let mut types = TypeSection::new();
    if let Some(section) = &scan.type_section {
        indices.parse_type_section(&mut types, section.clone())?;
    }
    let added_types = types.len();
    glue::types(&mut types);
    // Blocks that return several values are described by a type of their own.
    let mut wrappers = Wrappers { types: &mut types, of: vec![None; scan.types.len()] };
    let mut wrapper_of = Vec::with_capacity(scan.bodies.len());
    for (function, plan) in (scan.imported_functions..).zip(&plan.functions) {
        wrapper_of.push(if plan.loops.is_empty() { None } else { Some(wrappers.get(scan, function, &mut indices)?) });
    }
    module.section(&types);

    module.section(&imports(scan, role, &mut indices, &mut info, added_types)?);

    let mut functions = FunctionSection::new();
    for ty in scan.functions.iter().skip(scan.imported_functions as usize) {
        functions.function(*ty);
    }
    let first_added = scan.functions.len() as u32 + 1;
    let glue = Glue::new(role, first_added, Names {
        budget: globals.budget,
        refill: scan.imported_functions,
        charge: first_added + glue::CHARGE,
        top_up: first_added + glue::TOP_UP,
    });
    glue.functions(added_types, &mut functions);
    module.section(&functions);

    let mut tables = TableSection::new();
    for table in &scan.tables {
        indices.parse_table(&mut tables, table.clone())?;
    }
    if !tables.is_empty() {
        module.section(&tables);
    }
    let mut memories = MemorySection::new();
    for memory in &scan.memories {
        memories.memory(indices.memory_type(*memory)?);
    }
    if !memories.is_empty() {
        module.section(&memories);
    }
    let mut tags = TagSection::new();
    for tag in &scan.tags {
        tags.tag(indices.tag_type(*tag)?);
    }
    if !tags.is_empty() {
        module.section(&tags);
    }
    module.section(&globals.section(scan, role, &mut indices)?);

    let mut exports = ExportSection::new();
    for export in &scan.exports {
        indices.parse_export(&mut exports, *export)?;
    }
    glue.exports(globals.budget, role, &mut exports);
    module.section(&exports);

    let mut elements = ElementSection::new();
    for element in &scan.elements {
        let items = indices.element_items(element.items.clone())?;
        match (&element.kind, role) {
            (ElementKind::Active { .. }, Role::Main) => indices.parse_element(&mut elements, element.clone())?,
            (ElementKind::Declared, _) => drop(elements.declared(items)),
            (ElementKind::Passive | ElementKind::Active { .. }, _) => drop(elements.passive(items)),
        }
    }
    if !elements.is_empty() {
        module.section(&elements);
    }
    if !scan.data.is_empty() {
        module.section(&DataCountSection { count: scan.data.len() as u32 });
    }

    let mut stats = plan.stats;
    let mut code = CodeSection::new();
    let mut hints = BranchHints::new();
    let unmetered = FunctionPlan::default();
    for (k, body) in scan.bodies.iter().enumerate() {
        let function = scan.imported_functions + k as u32;
        let mut writer = Writer {
            indices: &mut indices,
            names: glue.names,
            out: Body { function: locals(scan, function, body)?, hints: Vec::new() },
            plan: plan.functions.get(k).unwrap_or(&unmetered),
            wrapper: wrapper_of.get(k).copied().flatten(),
            metered: options.meter == Meter::On,
            parameters: 0,
            stats: &mut stats,
        };
        writer.parameters = 0;
        let body = writer.body(scan, function, body)?;
        body.finish(function + 1, &mut code, &mut hints);
    }
    glue.bodies(scan, &globals, &info, &mut indices, &mut code, &mut hints)?;
    if !hints.is_empty() {
        module.section(&hints);
    }
    module.section(&code);

    let mut data = DataSection::new();
    for segment in &scan.data {
        data.passive(segment.data.iter().copied());
    }
    if !data.is_empty() {
        module.section(&data);
    }
    if options.keep_names {
        module.section(&names(scan, first_added, &mut indices)?);
    }
    Ok(Transformed { wasm: module.finish(), info, stats })
}
