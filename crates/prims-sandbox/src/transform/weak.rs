//! Binds weak functions of a side module.
//!
//! A weak function with default visibility (every inline function of C++ is one) is left open by the linker: the module exports
//! it and calls it through an import of the same name, so that all modules of a process could share one of the definitions. What
//! a native loader does for a module that is loaded with local scope, as Python loads its extensions, is decided here: the
//! main module's definition is used if it has one, else the module's own. An import that is the module's own function goes away,
//! and its calls become direct ones.

use super::TransformError;
use super::scan::Scan;
use std::collections::{HashMap, HashSet};
use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{ImportSection, Module};
use wasmparser::{ExternalKind, ImportSectionReader, Parser, TypeRef};

/// The imports that are the module's own functions: index of the import, index of the function.
pub(super) fn own_functions(scan: &Scan, main: &HashSet<&str>) -> HashMap<u32, u32> {
    let mut exported = HashMap::new();
    for export in &scan.exports {
        if export.kind == ExternalKind::Func && export.index >= scan.imported_functions {
            exported.insert(export.name, export.index);
        }
    }
    let functions = scan
        .imports
        .iter()
        .filter(|import| matches!(import.ty, TypeRef::Func(_)));
    let own = |(index, import): (u32, &wasmparser::Import)| {
        let own = *exported.get(import.name)?;
        let fits = import.module == "env" && scan.function_type(index) == scan.function_type(own);
        (fits && !main.contains(import.name)).then_some((index, own))
    };
    (0u32..).zip(functions).filter_map(own).collect()
}

/// The module without these imports.
pub(super) fn bind(wasm: &[u8], scan: &Scan, own: &HashMap<u32, u32>) -> Result<Vec<u8>, TransformError> {
    let mut indices = Vec::with_capacity(scan.functions.len());
    let mut next = 0;
    for function in 0..scan.functions.len() as u32 {
        indices.push(next);
        next += u32::from(!own.contains_key(&function));
    }
    for (import, function) in own {
        indices[*import as usize] = indices[*function as usize];
    }
    let mut module = Module::new();
    Bind { own, indices }.parse_core_module(&mut module, Parser::new(0), wasm)?;
    Ok(module.finish())
}

struct Bind<'a> {
    own: &'a HashMap<u32, u32>,
    /// The new index of each function.
    indices: Vec<u32>,
}

impl Reencode for Bind<'_> {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, reencode::Error> {
        // A valid module refers to no others.
        Ok(self.indices.get(function as usize).copied().unwrap_or(u32::MAX))
    }

    fn parse_import_section(
        &mut self,
        imports: &mut ImportSection,
        section: ImportSectionReader<'_>,
    ) -> Result<(), reencode::Error> {
        let mut functions = 0u32..;
        for import in section.into_imports() {
            let import = import?;
            let is_own = matches!(import.ty, TypeRef::Func(_))
                && functions
                    .next()
                    .is_some_and(|function| self.own.contains_key(&function));
            if !is_own {
                self.parse_import(imports, import)?;
            }
        }
        Ok(())
    }

    fn parse_custom_section(
        &mut self,
        module: &mut Module,
        section: wasmparser::CustomSectionReader<'_>,
    ) -> Result<(), reencode::Error> {
        // Names and hints speak of functions by their old indices.
        if section.name() == "dylink.0" {
            reencode::utils::parse_custom_section(self, module, section)?;
        }
        Ok(())
    }
}
