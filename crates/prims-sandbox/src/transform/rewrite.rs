//! Writes the new module, section by section.

use super::globals::{BUDGET_TYPE, Globals, is_kept};
use super::meter::Plan;
use super::{BUDGET, REFILL, Role, TransformError, TransformOptions, Transformed};
use super::{body, describe, glue, scan::Scan};
use std::convert::Infallible;
use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{
    BlockType, BranchHints, CodeSection, DataCountSection, DataSection, ElementSection, Encode, EntityType,
    ExportSection, FunctionSection, ImportSection, MemorySection, MemoryType, Module, NameMap, NameSection,
    TableSection, TagSection, TypeSection,
};
use wasmparser::{ElementKind, Name};

/// Maps indices of the original module to those of the new one. Types, tables, memories, tags and segments keep theirs.
pub(super) struct Indices {
    /// Imported functions of the original module; the one that is added comes after them.
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
        // A valid module refers to no others; no module has this one.
        Ok(self.globals.get(global as usize).copied().unwrap_or(u32::MAX))
    }
}

impl Indices {
    /// Whether a function of the original module is imported.
    pub(super) fn is_imported(&self, function: u32) -> bool {
        function < self.imported_functions
    }

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
    let mut indices = Indices {
        imported_functions: scan.imported_functions,
        globals: globals.map.clone(),
    };
    let glue = glue::Glue::new(scan, &globals);
    let mut module = Module::new();

    let mut types = TypeSection::new();
    if let Some(section) = &scan.type_section {
        indices.parse_type_section(&mut types, section.clone())?;
    }
    glue.types(&mut types);
    let results = results(scan, plan, &mut types, &mut indices)?;
    module.section(&types);
    module.section(&imports(scan, role, &glue, &mut indices)?);

    let mut functions = FunctionSection::new();
    for ty in scan.functions.iter().skip(scan.imported_functions as usize) {
        functions.function(*ty);
    }
    glue.functions(&mut functions);
    module.section(&functions);
    definitions(scan, &mut indices, &mut module)?;
    module.section(&globals.section(scan, role, &mut indices)?);

    let mut exports = ExportSection::new();
    for export in &scan.exports {
        indices.parse_export(&mut exports, *export)?;
    }
    glue.exports(role, &mut exports);
    module.section(&exports);

    let mut elements = ElementSection::new();
    for element in &scan.elements {
        if let (ElementKind::Active { .. }, Role::Side) = (&element.kind, role) {
            elements.passive(indices.element_items(element.items.clone())?);
        } else {
            indices.parse_element(&mut elements, element.clone())?;
        }
    }
    if !elements.is_empty() {
        module.section(&elements);
    }
    if !scan.data.is_empty() {
        module.section(&DataCountSection {
            count: scan.data.len() as u32,
        });
    }

    let (mut code, mut hints) = (CodeSection::new(), BranchHints::new());
    for (k, function) in scan.bodies.iter().enumerate() {
        let index = scan.imported_functions + k as u32;
        let parameters = scan.function_type(index).map_or(0, |ty| ty.params().len() as u32);
        let results = results.get(k).copied().unwrap_or(BlockType::Empty);
        let plan = plan.functions.get(k);
        body::rewrite(function, parameters, results, plan, &glue.names, &mut indices)?.finish(
            index + 1,
            &mut code,
            &mut hints,
        );
    }
    glue.bodies(scan, role, &globals, &mut indices, &mut code, &mut hints)?;
    if !hints.is_empty() {
        module.section(&hints);
    }
    module.section(&code);

    if !scan.data.is_empty() {
        let mut data = DataSection::new();
        for segment in &scan.data {
            data.passive(segment.data.iter().copied());
        }
        module.section(&data);
    }
    if options.keep_names {
        module.section(&names(scan, &glue, &mut indices)?);
    }
    let info = describe::describe(scan, role, &globals);
    Ok(Transformed {
        wasm: module.finish(),
        info,
        stats: plan.stats,
    })
}

/// For each function the type of a block that returns what it does; where it returns several values, that is a type of its own.
/// Only functions with loops need it.
fn results(
    scan: &Scan,
    plan: &Plan,
    section: &mut TypeSection,
    indices: &mut Indices,
) -> Result<Vec<BlockType>, TransformError> {
    let mut known = vec![None; scan.types.len()];
    let mut results = Vec::with_capacity(plan.functions.len());
    for (plan, ty) in plan
        .functions
        .iter()
        .zip(scan.functions.iter().skip(scan.imported_functions as usize))
    {
        let returned = scan.types.get(*ty as usize).map(|ty| ty.results()).unwrap_or_default();
        results.push(match (returned, known.get_mut(*ty as usize)) {
            _ if plan.loops.is_empty() => BlockType::Empty,
            ([], _) | (_, None) => BlockType::Empty,
            ([one], _) => BlockType::Result(indices.val_type(*one)?),
            (_, Some(Some(known))) => *known,
            (several, Some(known)) => {
                let index = section.len();
                section.ty().function([], indices.val_types(several.to_vec())?);
                *known.insert(BlockType::FunctionType(index))
            }
        });
    }
    Ok(results)
}

fn imports(scan: &Scan, role: Role, glue: &glue::Glue, indices: &mut Indices) -> Result<ImportSection, TransformError> {
    let mut section = ImportSection::new();
    for import in scan.imports.iter().filter(|import| is_kept(import)) {
        section.import(import.module, import.name, indices.entity_type(import.ty)?);
    }
    if describe::lacks_memory(scan) {
        let memory = MemoryType {
            minimum: 0,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        };
        section.import("env", "memory", memory);
    }
    section.import(REFILL.0, REFILL.1, EntityType::Function(glue.types + glue::REFILL_TYPE));
    if role == Role::Side {
        section.import("env", BUDGET, BUDGET_TYPE);
    }
    Ok(section)
}

/// Tables, memories and tags.
fn definitions(scan: &Scan, indices: &mut Indices, module: &mut Module) -> Result<(), TransformError> {
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
    Ok(())
}

/// The names of the functions.
fn names(scan: &Scan, glue: &glue::Glue, indices: &mut Indices) -> Result<NameSection, TransformError> {
    let mut functions = NameMap::new();
    for subsection in scan.names.clone().into_iter().flatten() {
        // Names say nothing about whether a module is valid: what cannot be read is left out.
        let Ok(Name::Function(map)) = subsection else { continue };
        for name in map.into_iter().map_while(Result::ok) {
            if (name.index as usize) < scan.functions.len() {
                functions.append(indices.function_index(name.index)?, name.name);
            }
        }
    }
    for (index, name) in glue.function_names() {
        functions.append(index, name);
    }
    let mut section = NameSection::new();
    section.functions(&functions);
    Ok(section)
}
