//! Validates a module and collects what the other passes need.

use super::{Role, TransformError};
use std::collections::HashSet;
use wasmparser::{
    Data, Dylink0Subsection, Element, Export, FuncType, FunctionBody, Global, GlobalType, Import, KnownCustom,
    MemoryType, NameSectionReader, Parser, Payload, Table, TagType, TypeRef, TypeSectionReader, Validator,
    WasmFeatures,
};

/// Larger than any extension module of the Python world that was seen; the transform needs a few times this much memory.
pub(super) const MAX_MODULE_BYTES: usize = 64 << 20;
/// The call graph is kept in memory. The largest real modules have some 50,000 functions.
const MAX_FUNCTIONS: usize = 500_000;
/// Each global needs a slot in every image and an instruction in every restore.
const MAX_SLOTS: usize = 65_536;
/// Locals wasmparser and wasmtime accept in one function, less the ones metering adds.
const MAX_LOCALS: u32 = 50_000 - 2;

/// Everything that is offered. Not threads (a run has one), tail calls (the metering of functions counts on returns), or a garbage collector.
pub(super) const FEATURES: WasmFeatures = WasmFeatures::empty()
    .union(WasmFeatures::MUTABLE_GLOBAL)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::EXCEPTIONS)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::FLOATS);

/// A valid module, taken apart.
#[derive(Default)]
pub(super) struct Scan<'a> {
    pub(super) type_section: Option<TypeSectionReader<'a>>,
    pub(super) types: Vec<FuncType>,
    pub(super) imports: Vec<Import<'a>>,
    /// Type indices of imported, then of defined functions.
    pub(super) functions: Vec<u32>,
    pub(super) imported_functions: u32,
    pub(super) tables: Vec<Table<'a>>,
    pub(super) memories: Vec<MemoryType>,
    pub(super) tags: Vec<TagType>,
    /// Type indices of imported, then of defined tags.
    pub(super) tag_types: Vec<u32>,
    pub(super) imported_globals: Vec<GlobalType>,
    pub(super) globals: Vec<Global<'a>>,
    pub(super) exports: Vec<Export<'a>>,
    pub(super) start: Option<u32>,
    pub(super) elements: Vec<Element<'a>>,
    pub(super) data: Vec<Data<'a>>,
    pub(super) bodies: Vec<FunctionBody<'a>>,
    pub(super) names: Option<NameSectionReader<'a>>,
    pub(super) dylink: Dylink<'a>,
}

/// The `dylink.0` section.
#[derive(Default)]
pub(super) struct Dylink<'a> {
    pub(super) memory: Option<wasmparser::MemInfo>,
    pub(super) needed: Vec<&'a str>,
    pub(super) weak: HashSet<(&'a str, &'a str)>,
}

impl Scan<'_> {
    /// The type of the function with this index.
    pub(super) fn function_type(&self, function: u32) -> Option<&FuncType> {
        self.types.get(*self.functions.get(function as usize)? as usize)
    }
}

/// Validates `wasm`, takes it apart, and checks that its role allows what it has.
pub(super) fn scan(wasm: &[u8], role: Role) -> Result<Scan<'_>, TransformError> {
    let scan = read(wasm, FEATURES)?;
    scan.check_limits()?;
    scan.check_names()?;
    match role {
        Role::Main => scan.check_main()?,
        Role::Side => {
            scan.check_side()?;
            super::effort::check(&scan)?;
        }
    }
    Ok(scan)
}

/// Validates `wasm` with these features and takes it apart.
pub(super) fn read(wasm: &[u8], features: WasmFeatures) -> Result<Scan<'_>, TransformError> {
    if wasm.len() > MAX_MODULE_BYTES {
        return Err(TransformError::TooLarge {
            found: wasm.len(),
            limit: MAX_MODULE_BYTES,
        });
    }
    Validator::new_with_features(features).validate_all(wasm)?;
    let mut scan = Scan::default();
    for payload in Parser::new(0).parse_all(wasm) {
        scan.payload(payload?)?;
    }
    Ok(scan)
}

impl<'a> Scan<'a> {
    fn payload(&mut self, payload: Payload<'a>) -> Result<(), TransformError> {
        match payload {
            Payload::TypeSection(section) => {
                self.type_section = Some(section.clone());
                self.types = section.into_iter_err_on_gc_types().collect::<Result<_, _>>()?;
            }
            Payload::ImportSection(section) => {
                self.imports = section.into_imports().collect::<Result<_, _>>()?;
                for import in &self.imports {
                    match import.ty {
                        TypeRef::Func(ty) => self.functions.push(ty),
                        TypeRef::Global(ty) => self.imported_globals.push(ty),
                        TypeRef::Tag(ty) => self.tag_types.push(ty.func_type_idx),
                        _ => {}
                    }
                }
                self.imported_functions = self.functions.len() as u32;
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    self.functions.push(ty?);
                }
            }
            Payload::TableSection(section) => self.tables = collect(section)?,
            Payload::MemorySection(section) => self.memories = collect(section)?,
            Payload::TagSection(section) => {
                self.tags = collect(section)?;
                self.tag_types.extend(self.tags.iter().map(|tag| tag.func_type_idx));
            }
            Payload::GlobalSection(section) => self.globals = collect(section)?,
            Payload::ExportSection(section) => self.exports = collect(section)?,
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::ElementSection(section) => self.elements = collect(section)?,
            Payload::DataSection(section) => self.data = collect(section)?,
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            Payload::CustomSection(section) => match section.as_known() {
                KnownCustom::Name(names) => self.names = Some(names),
                KnownCustom::Dylink0(sections) => self.dylink(sections)?,
                _ => {}
            },
            _ => {}
        }
        Ok(())
    }

    fn dylink(&mut self, sections: wasmparser::Dylink0SectionReader<'a>) -> Result<(), TransformError> {
        for section in sections {
            match section.map_err(|error| TransformError::Dylink(error.to_string()))? {
                Dylink0Subsection::MemInfo(memory) => self.dylink.memory = Some(memory),
                Dylink0Subsection::Needed(needed) => self.dylink.needed.extend(needed),
                Dylink0Subsection::ImportInfo(imports) => {
                    let weak =
                        |import: &wasmparser::ImportInfo| import.flags.contains(wasmparser::SymbolFlags::BINDING_WEAK);
                    let imports = imports.into_iter().filter(weak);
                    self.dylink
                        .weak
                        .extend(imports.map(|import| (import.module, import.field)));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_limits(&self) -> Result<(), TransformError> {
        let check = |what, found, limit| {
            if found > limit {
                return Err(TransformError::TooMany { what, found, limit });
            }
            Ok(())
        };
        check("functions", self.functions.len(), MAX_FUNCTIONS)?;
        let mutable = self.globals.iter().filter(|global| global.ty.mutable).count();
        check("mutable globals", mutable + self.imported_globals.len(), MAX_SLOTS)?;
        for body in &self.bodies {
            let mut locals: u32 = 0;
            for group in body.get_locals_reader()? {
                locals = locals.saturating_add(group?.0);
            }
            check("locals in a function", locals as usize, MAX_LOCALS as usize)?;
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), TransformError> {
        let reserved = |name: &str| name.starts_with("__prims_");
        let imports = self.imports.iter().map(|import| (import.module, import.name));
        let exports = self.exports.iter().map(|export| ("", export.name));
        for (module, name) in imports.chain(exports) {
            if reserved(name) || (module, name) == super::REFILL {
                return Err(TransformError::Reserved(name.to_owned()));
            }
        }
        Ok(())
    }

    fn check_main(&self) -> Result<(), TransformError> {
        for import in &self.imports {
            if !matches!(import.ty, TypeRef::Func(_)) {
                return Err(refused(import, "main"));
            }
        }
        if self.memories.is_empty() {
            return Err(TransformError::Missing("memory"));
        }
        Ok(())
    }

    fn check_side(&self) -> Result<(), TransformError> {
        let i32 = |ty: GlobalType, mutable| ty.content_type == wasmparser::ValType::I32 && ty.mutable == mutable;
        for import in &self.imports {
            let allowed = match (import.module, import.name, import.ty) {
                ("env", "memory", TypeRef::Memory(_)) => true,
                ("env", "__indirect_function_table", TypeRef::Table(_)) => true,
                ("env", "__stack_pointer", TypeRef::Global(ty)) => i32(ty, true),
                ("env", "__memory_base" | "__table_base", TypeRef::Global(ty)) => i32(ty, false),
                ("GOT.mem" | "GOT.func", _, TypeRef::Global(ty)) => i32(ty, true),
                ("env", _, TypeRef::Func(_) | TypeRef::Tag(_)) => true,
                _ => false,
            };
            if !allowed {
                return Err(refused(import, "side"));
            }
        }
        if !self.memories.is_empty() {
            return Err(TransformError::OwnDefinition("memory"));
        }
        if !self.tables.is_empty() {
            return Err(TransformError::OwnDefinition("table"));
        }
        let Some(memory) = &self.dylink.memory else {
            return Err(TransformError::Dylink(
                "it has no dylink.0 section that says how much memory it needs".into(),
            ));
        };
        for alignment in [memory.memory_alignment, memory.table_alignment] {
            if alignment > 16 {
                return Err(TransformError::Dylink(format!(
                    "it wants an alignment of 2 to the power of {alignment}, at most 16 is accepted"
                )));
            }
        }
        Ok(())
    }
}

fn collect<'a, T: wasmparser::FromReader<'a>>(
    section: wasmparser::SectionLimited<'a, T>,
) -> Result<Vec<T>, TransformError> {
    Ok(section.into_iter().collect::<Result<_, _>>()?)
}

fn refused(import: &Import, role: &'static str) -> TransformError {
    let kind = match import.ty {
        TypeRef::Func(_) | TypeRef::FuncExact(_) => "function",
        TypeRef::Table(_) => "table",
        TypeRef::Memory(_) => "memory",
        TypeRef::Global(GlobalType { mutable: true, .. }) => "mutable global",
        TypeRef::Global(_) => "global",
        TypeRef::Tag(_) => "tag",
    };
    let (module, name) = (import.module.to_owned(), import.name.to_owned());
    TransformError::Import {
        module,
        name,
        kind,
        role,
    }
}
