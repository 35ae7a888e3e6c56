//! dlopen on the host: WebAssembly side modules (`dylink.0`), linked to a running interpreter, and linked again on a restore.
//!
//! The convention is LLVM's (WebAssembly/tool-conventions, DynamicLinking.md). *Loading* takes memory for data and bss from the
//! guest's allocator and table space from the one function table; functions are imported from the interpreter or a
//! library loaded earlier; addresses of data (`GOT.mem`) and of functions (`GOT.func`) are globals, which the
//! transform has made the module's own. They are written into the guest's memory and loaded from there by one call, and
//! a snapshot saves them back to the same place: the linkage of an image is part of its memory.
//!
//! *Restoring* instantiates each library against a [plan](Load) that names every import by index instead of by name, lets it
//! load its globals and write its table entries, and sets the entries that dlopen and dlsym had added. No guest code runs.
//!
//! A guest cannot bring code: only modules of the prepared environment can be loaded, found by guest path and compiled
//! before any run.

use crate::host::{self, Host};
use crate::symbols::{Symbols, TablePositions};
use crate::transform::{self, ModuleInfo, SlotKind};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};
use wasmtime::{
    AsContext, AsContextMut, Caller, Extern, Global, Instance, Linker, Memory, Module, ModuleExport, Ref,
    StoreContextMut, Table, TypedFunc, Val,
};

/// Side modules one instance may hold; numpy loads 12, scipy would load about 100.
pub(crate) const MAX_LIBRARIES: usize = 512;

/// Longest path or symbol name taken from the guest; C++ names get long.
const MAX_NAME: usize = 16 << 10;

/// A compiled module with what its linker needs to know.
pub(crate) struct Compiled {
    pub(crate) module: Module,
    record: CompiledRecord,
    /// Made when first asked for: a restore needs no names.
    symbols: OnceLock<Symbols>,
}

/// What the cache keeps beside compiled code.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CompiledRecord {
    pub(crate) info: ModuleInfo,
    pub(crate) positions: TablePositions,
}

impl Compiled {
    pub(crate) fn new(module: Module, record: CompiledRecord) -> Compiled {
        Compiled {
            module,
            record,
            symbols: OnceLock::new(),
        }
    }

    pub(crate) fn info(&self) -> &ModuleInfo {
        &self.record.info
    }

    fn symbols(&self) -> &Symbols {
        self.symbols
            .get_or_init(|| Symbols::of(&self.record.info, &self.record.positions))
    }
}

/// The side modules of an environment by guest path.
#[derive(Default)]
pub(crate) struct Libraries {
    pub(crate) usable: HashMap<String, Arc<Compiled>>,
    /// Why the others are not.
    pub(crate) unusable: BTreeMap<String, String>,
}

/// Which instance a symbol belongs to: 0 is the interpreter, `k` the k-th library.
type Owner = u32;

/// What a run's dynamic linker knows.
pub(crate) struct Linkage {
    program: Arc<Compiled>,
    libraries: Arc<Libraries>,
    main: Option<Main>,
    loaded: Vec<Loaded>,
    /// Table entries added by this instance, beside those of the image it came from.
    functions: HashMap<(Owner, String), u32>,
    image: Option<Arc<ImageLinkage>>,
    message: String,
}

/// Handles into the interpreter's instance that linking needs again and again.
#[derive(Clone, Copy)]
struct Main {
    instance: Instance,
    memory: Memory,
    table: Table,
    stack_pointer: Global,
    budget: Global,
}

#[derive(Clone)]
struct Loaded {
    record: Arc<LoadRecord>,
    library: Arc<Compiled>,
    instance: Instance,
}

/// Linkage as an image's file keeps it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct LinkageRecord {
    /// Where the interpreter's own globals are saved.
    pub(crate) globals: u32,
    /// Size of the function table.
    pub(crate) table: u64,
    /// The libraries in the order they were loaded.
    pub(crate) loads: Vec<LoadRecord>,
    /// Table entries that dlopen and dlsym added: owner, symbol, index.
    pub(crate) functions: Vec<(Owner, String, u32)>,
}

/// One loaded library.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LoadRecord {
    path: String,
    memory_base: u32,
    table_base: u32,
    globals: u32,
}

/// Linkage ready to be restored: no names are looked up any more.
pub(crate) struct ImageLinkage {
    main: MainPlan,
    globals: u32,
    table: u64,
    loads: Vec<Load>,
    /// Whether its memory and globals are all that a run can change of an instance.
    is_resettable: bool,
    /// What the libraries import of others, each once: several import the same functions.
    shared: Vec<(Owner, ModuleExport)>,
    functions: Vec<(Owner, ModuleExport, u32)>,
    by_name: HashMap<(Owner, String), u32>,
}

struct MainPlan {
    memory: ModuleExport,
    table: ModuleExport,
    stack_pointer: ModuleExport,
    budget: ModuleExport,
    load_globals: ModuleExport,
    restore: ModuleExport,
}

struct Load {
    record: Arc<LoadRecord>,
    library: Arc<Compiled>,
    imports: Vec<Source>,
    load_globals: ModuleExport,
    restore: ModuleExport,
}

/// Where an import of a side module comes from.
enum Source {
    Memory,
    Table,
    StackPointer,
    Budget,
    Refill,
    Export(Owner, ModuleExport),
    /// An index into [`ImageLinkage::shared`].
    Shared(usize),
}

/// Why a module could not be loaded; the guest sees it as an `ImportError`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("no such module in this environment")]
    Unknown,
    #[error("{0}")]
    Unusable(String),
    #[error("more than {MAX_LIBRARIES} modules are loaded")]
    TooMany,
    #[error("undefined symbol: {0}")]
    Undefined(String),
    #[error("not enough memory for its data")]
    Memory,
    #[error("not enough room in the function table")]
    Table,
    #[error("import {0}.{1} is not one a module may have")]
    Import(String, String),
    #[error("{0}")]
    Engine(String),
}

const TABLE: &str = "__indirect_function_table";
const STACK_POINTER: &str = "__stack_pointer";

/// The host functions behind `dlopen`, `dlsym` and `dlerror`.
pub(crate) fn add_to_linker(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "prims",
        "dlopen",
        |mut caller: Caller<'_, Host>, at: u32, len: u32| -> wasmtime::Result<u32> {
            let path = name(&mut caller, at, len)?;
            let handle = dlopen(caller.as_context_mut(), &path)?;
            Ok(handle.unwrap_or_else(|error| fail(&mut caller, format!("{path}: {error}"))))
        },
    )?;
    linker.func_wrap(
        "prims",
        "dlsym",
        |mut caller: Caller<'_, Host>, handle: u32, at: u32, len: u32| -> wasmtime::Result<u32> {
            let symbol = name(&mut caller, at, len)?;
            let address = dlsym(&mut caller.as_context_mut(), handle, &symbol);
            Ok(address.unwrap_or_else(|error| fail(&mut caller, error.to_string())))
        },
    )?;
    linker.func_wrap(
        "prims",
        "dlerror",
        |mut caller: Caller<'_, Host>, at: u32, cap: u32| -> wasmtime::Result<u32> {
            let message = std::mem::take(&mut caller.data_mut().linkage.message).into_bytes();
            let len = message.len().min(cap as usize);
            host::memory(&mut caller)?.write(&mut caller, at as usize, &message[..len])?;
            Ok(len as u32)
        },
    )?;
    Ok(())
}

fn name(caller: &mut Caller<'_, Host>, at: u32, len: u32) -> wasmtime::Result<String> {
    Ok(String::from_utf8_lossy(&host::read(caller, at, len, MAX_NAME)?).into_owned())
}

fn fail(caller: &mut Caller<'_, Host>, message: String) -> u32 {
    caller.data_mut().linkage.message = message;
    0
}

impl Linkage {
    /// For an interpreter that is about to be instantiated, from scratch or from an image.
    pub(crate) fn new(program: Arc<Compiled>, libraries: Arc<Libraries>, image: Option<Arc<ImageLinkage>>) -> Linkage {
        Linkage {
            program,
            libraries,
            main: None,
            loaded: vec![],
            functions: HashMap::new(),
            image,
            message: String::new(),
        }
    }

    fn symbols(&self, owner: Owner) -> &Symbols {
        match owner {
            0 => self.program.symbols(),
            k => self.loaded[k as usize - 1].library.symbols(),
        }
    }

    fn instance(&self, owner: Owner) -> Option<Instance> {
        match owner {
            0 => self.main.map(|main| main.instance),
            k => self.loaded.get(k as usize - 1).map(|loaded| loaded.instance),
        }
    }

    /// The order in which `library` looks for symbols: the interpreter, itself, the libraries in the order they were loaded. Modules
    /// that happen to use the same names must not get each other's.
    fn owners(&self, library: Owner) -> impl Iterator<Item = Owner> {
        [0, library].into_iter().chain(1..=self.loaded.len() as Owner)
    }

    /// Who defines a function that `library` refers to.
    fn function_owner(&self, library: Owner, symbol: &str) -> Option<Owner> {
        self.owners(library)
            .find(|owner| self.symbols(*owner).functions.contains_key(symbol))
    }

    /// The address of a data symbol that `library` refers to.
    fn data_address(&self, library: Owner, symbol: &str) -> Option<u32> {
        self.owners(library).find_map(|owner| {
            let address = *self.symbols(owner).data.get(symbol)?;
            let base = match owner {
                0 => 0,
                k => self.loaded[k as usize - 1].record.memory_base,
            };
            Some(address.wrapping_add(base))
        })
    }

    fn known_index(&self, owner: Owner, symbol: &str) -> Option<u32> {
        // A function that is in the module's own table segments has one address for everybody, or C code that
        // compares function pointers would go wrong.
        if let Some(Some(offset)) = self.symbols(owner).functions.get(symbol) {
            let base = if owner == 0 {
                0
            } else {
                self.loaded[owner as usize - 1].record.table_base
            };
            return Some(base.wrapping_add(*offset));
        }
        let key = (owner, symbol.to_owned());
        let of_image = self.image.as_ref().and_then(|image| image.by_name.get(&key));
        of_image.or_else(|| self.functions.get(&key)).copied()
    }

    /// What was loaded and added so far, the image's part included.
    fn record(&self, globals: u32, table: u64) -> LinkageRecord {
        let of_image = self.image.iter().flat_map(|image| &image.by_name);
        let functions = of_image.chain(&self.functions);
        let mut functions: Vec<_> = functions
            .map(|((owner, name), at)| (*owner, name.clone(), *at))
            .collect();
        functions.sort_by_key(|(_, _, index)| *index);
        let loads = self.loaded.iter().map(|loaded| LoadRecord::clone(&loaded.record));
        LinkageRecord {
            globals,
            table,
            loads: loads.collect(),
            functions,
        }
    }
}

/// The function pointer that stands for a symbol, stable for the life of the image.
fn index_of(store: &mut StoreContextMut<'_, Host>, owner: Owner, symbol: &str) -> Result<u32, LinkError> {
    let linkage = &store.data().linkage;
    if let Some(index) = linkage.known_index(owner, symbol) {
        return Ok(index);
    }
    let undefined = || LinkError::Undefined(symbol.into());
    let (instance, main) = (
        linkage.instance(owner).ok_or_else(undefined)?,
        linkage.main.ok_or_else(undefined)?,
    );
    let function = instance.get_func(&mut *store, symbol).ok_or_else(undefined)?;
    let index = main
        .table
        .grow(&mut *store, 1, Ref::Func(Some(function)))
        .map_err(|_| LinkError::Table)?;
    let index = u32::try_from(index).map_err(|_| LinkError::Table)?;
    store.data_mut().linkage.functions.insert((owner, symbol.into()), index);
    Ok(index)
}

fn dlsym(store: &mut StoreContextMut<'_, Host>, handle: u32, symbol: &str) -> Result<u32, LinkError> {
    let linkage = &store.data().linkage;
    let undefined = || LinkError::Undefined(symbol.into());
    if handle == 0 || linkage.instance(handle).is_none() {
        return Err(undefined());
    }
    if let Some(offset) = linkage.symbols(handle).data.get(symbol) {
        return Ok(offset.wrapping_add(linkage.loaded[handle as usize - 1].record.memory_base));
    }
    if !linkage.symbols(handle).functions.contains_key(symbol) {
        return Err(undefined());
    }
    index_of(store, handle, symbol)
}

/// Loads a library and runs its constructors. The outer error is a trap or a stop of the guest, the inner one is the guest's to see.
fn dlopen(mut store: StoreContextMut<'_, Host>, path: &str) -> wasmtime::Result<Result<u32, LinkError>> {
    let linkage = &store.data().linkage;
    if let Some(at) = linkage.loaded.iter().position(|loaded| loaded.record.path == path) {
        return Ok(Ok(at as u32 + 1));
    }
    let Some(library) = linkage.libraries.usable.get(path).cloned() else {
        let reason = linkage.libraries.unusable.get(path);
        return Ok(Err(
            reason.map_or(LinkError::Unknown, |reason| LinkError::Unusable(reason.clone()))
        ));
    };
    if linkage.loaded.len() >= MAX_LIBRARIES {
        return Ok(Err(LinkError::TooMany));
    }
    let Some(main) = linkage.main else {
        return Ok(Err(LinkError::Unknown));
    };

    let zalloc: TypedFunc<(u32, u32), u32> = main.instance.get_typed_func(&mut store, "prims_zalloc")?;
    let memory_base = zalloc.call(
        &mut store,
        (library.info().memory_align, library.info().memory_size.max(1)),
    )?;
    let globals = zalloc.call(&mut store, (16, globals_size(library.info())))?;
    if memory_base == 0 || globals == 0 {
        return Ok(Err(LinkError::Memory));
    }
    let table_base = match main
        .table
        .grow(&mut store, u64::from(library.info().table_size), Ref::Func(None))
    {
        Ok(base) => base as u32,
        Err(_) => return Ok(Err(LinkError::Table)),
    };

    let linkage = &store.data().linkage;
    let loaded = linkage
        .loaded
        .iter()
        .map(|loaded| Arc::clone(&loaded.library))
        .collect();
    let sources = match (Names {
        program: &linkage.program,
        loaded,
    })
    .plan(&library)
    {
        Ok(sources) => sources,
        Err(error) => return Ok(Err(error)),
    };
    let refill = host::refill(&mut store).into();
    let instance = match instantiate(&mut store, &library, &sources, &refill, &[], &mut []) {
        Ok(instance) => instance,
        Err(error) => return Ok(Err(LinkError::Engine(error.to_string()))),
    };
    let record = Arc::new(LoadRecord {
        path: path.into(),
        memory_base,
        table_base,
        globals,
    });
    let loaded = Loaded {
        record,
        library: Arc::clone(&library),
        instance,
    };
    store.data_mut().linkage.loaded.push(loaded);
    let handle = store.data().linkage.loaded.len() as Owner;

    // Its own globals keep their first values, all others get theirs here. From here on the library is part of the instance, so
    // a failure must take it out again.
    call(&mut store, instance, transform::SAVE_GLOBALS, globals)?;
    if let Err(error) = fill_globals(&mut store, handle, &library, &main) {
        let linkage = &mut store.data_mut().linkage;
        linkage.loaded.pop();
        // Its number will be another library's.
        linkage.functions.retain(|(owner, _), _| *owner != handle);
        return Ok(Err(error));
    }
    call(&mut store, instance, transform::RESTORE, globals)?;
    for function in ["__prims_init_memory", "__wasm_apply_data_relocs", "__wasm_call_ctors"] {
        if let Ok(function) = instance.get_typed_func::<(), ()>(&mut store, function) {
            function.call(&mut store, ())?;
        }
    }
    Ok(Ok(handle))
}

fn globals_size(info: &ModuleInfo) -> u32 {
    8 * (info.slots.len() as u32 + 1)
}

/// Writes what a library's globals are to be to where it will load them from.
fn fill_globals(
    store: &mut StoreContextMut<'_, Host>,
    handle: Owner,
    library: &Compiled,
    main: &Main,
) -> Result<(), LinkError> {
    let record = Arc::clone(&store.data().linkage.loaded[handle as usize - 1].record);
    for (k, slot) in library.info().slots.iter().enumerate() {
        let found = match &slot.what {
            SlotKind::MemoryBase => Some(record.memory_base),
            SlotKind::TableBase => Some(record.table_base),
            SlotKind::GotMem(symbol) => store.data().linkage.data_address(handle, symbol),
            SlotKind::GotFunc(symbol) => {
                let owner = store.data().linkage.function_owner(handle, symbol);
                owner.map(|owner| index_of(store, owner, symbol)).transpose()?
            }
            SlotKind::Internal => continue,
        };
        let value = match (&slot.what, found) {
            (_, Some(value)) => value,
            (_, None) if slot.weak => 0,
            (SlotKind::GotMem(symbol) | SlotKind::GotFunc(symbol), None) => {
                return Err(LinkError::Undefined(symbol.clone()));
            }
            (_, None) => 0,
        };
        let at = record.globals as usize + 8 * k;
        main.memory
            .write(&mut *store, at, &u64::from(value).to_le_bytes())
            .map_err(|_| LinkError::Memory)?;
    }
    Ok(())
}

fn instantiate(
    store: &mut StoreContextMut<'_, Host>,
    library: &Compiled,
    sources: &[Source],
    refill: &Extern,
    shared: &[(Owner, ModuleExport)],
    found: &mut [Option<Extern>],
) -> wasmtime::Result<Instance> {
    let Some(main) = store.data().linkage.main else {
        wasmtime::bail!("no interpreter to link to")
    };
    let mut externs = Vec::with_capacity(sources.len());
    for source in sources {
        externs.push(match source {
            Source::Memory => main.memory.into(),
            Source::Table => main.table.into(),
            Source::StackPointer => main.stack_pointer.into(),
            Source::Budget => main.budget.into(),
            Source::Refill => refill.clone(),
            Source::Export(owner, export) => exported(store, *owner, export)?,
            Source::Shared(index) => match &found[*index] {
                Some(known) => known.clone(),
                None => {
                    let (owner, export) = &shared[*index];
                    found[*index].insert(exported(store, *owner, export)?).clone()
                }
            },
        });
    }
    Instance::new(&mut *store, &library.module, &externs)
}

fn exported(store: &mut StoreContextMut<'_, Host>, owner: Owner, export: &ModuleExport) -> wasmtime::Result<Extern> {
    let instance = store.data().linkage.instance(owner);
    let found = instance.and_then(|instance| instance.get_module_export(&mut *store, export));
    found.ok_or_else(|| wasmtime::format_err!("a planned import is missing"))
}

fn call(store: &mut StoreContextMut<'_, Host>, instance: Instance, name: &str, argument: u32) -> wasmtime::Result<()> {
    instance
        .get_typed_func::<u32, ()>(&mut *store, name)?
        .call(store, argument)
}

/// Makes a freshly instantiated interpreter known to the linker.
pub(crate) fn attach(mut store: impl AsContextMut<Data = Host>, instance: Instance) -> wasmtime::Result<Memory> {
    let mut get = |name: &str| match instance.get_export(&mut store, name) {
        Some(export) => Ok(export),
        None => Err(wasmtime::format_err!("the interpreter exports no {name}")),
    };
    let (memory, table) = (get("memory")?, get(TABLE)?);
    let (stack_pointer, budget) = (get(STACK_POINTER)?, get(transform::BUDGET)?);
    attach_parts(store, instance, memory, table, stack_pointer, budget)
}

fn attach_parts(
    mut store: impl AsContextMut<Data = Host>,
    instance: Instance,
    memory: Extern,
    table: Extern,
    stack_pointer: Extern,
    budget: Extern,
) -> wasmtime::Result<Memory> {
    let parts = (
        memory.into_memory(),
        table.into_table(),
        stack_pointer.into_global(),
        budget.into_global(),
    );
    let (Some(memory), Some(table), Some(stack_pointer), Some(budget)) = parts else {
        wasmtime::bail!("the interpreter's exports have the wrong kinds");
    };
    let main = Main {
        instance,
        memory,
        table,
        stack_pointer,
        budget,
    };
    store.as_context_mut().data_mut().linkage.main = Some(main);
    Ok(memory)
}

/// What is left of the budget in the guest's hands.
pub(crate) fn budget(mut store: impl AsContextMut<Data = Host>) -> i64 {
    let Some(main) = store.as_context_mut().data().linkage.main else {
        return 0;
    };
    match main.budget.get(&mut store) {
        Val::I64(budget) => budget,
        _ => 0,
    }
}

/// Takes back what is left of the budget, so that the next instructions that are charged ask for more.
pub(crate) fn take_budget(mut store: impl AsContextMut<Data = Host>) -> wasmtime::Result<()> {
    match store.as_context_mut().data().linkage.main {
        Some(main) => main.budget.set(&mut store, Val::I64(0)),
        None => Ok(()),
    }
}

/// Saves all globals into the guest's memory and records the rest of the linkage, for an image.
pub(crate) fn save(mut store: impl AsContextMut<Data = Host>) -> wasmtime::Result<LinkageRecord> {
    let mut store = store.as_context_mut();
    let Some(main) = store.data().linkage.main else {
        wasmtime::bail!("no interpreter to save")
    };
    let zalloc: TypedFunc<(u32, u32), u32> = main.instance.get_typed_func(&mut store, "prims_zalloc")?;
    let size = globals_size(store.data().linkage.program.info());
    let globals = zalloc.call(&mut store, (16, size))?;
    wasmtime::ensure!(globals != 0, "no memory left for the interpreter's globals");
    save_globals(&mut store, &main, globals)?;
    let table = main.table.size(&store);
    Ok(store.data().linkage.record(globals, table))
}

/// Writes the globals of all modules into the guest's memory, those of the interpreter to `globals`.
fn save_globals(mut store: impl AsContextMut<Data = Host>, main: &Main, globals: u32) -> wasmtime::Result<()> {
    let mut store = store.as_context_mut();
    for loaded in store.data().linkage.loaded.clone() {
        let at = loaded.record.globals;
        call(&mut store, loaded.instance, transform::SAVE_GLOBALS, at)?;
    }
    call(&mut store, main.instance, transform::SAVE_GLOBALS, globals)
}

/// Saves all globals to where the image keeps them.
pub(crate) fn save_again(mut store: impl AsContextMut<Data = Host>) -> wasmtime::Result<()> {
    let mut store = store.as_context_mut();
    let linkage = &store.data().linkage;
    let (Some(main), Some(image)) = (linkage.main, linkage.image.clone()) else {
        wasmtime::bail!("no interpreter of an image to save")
    };
    save_globals(&mut store, &main, image.globals)
}

/// The linkage as it is now, if something was linked since the instance was restored.
pub(crate) fn added(store: impl AsContext<Data = Host>) -> Option<LinkageRecord> {
    let linkage = &store.as_context().data().linkage;
    let (main, image) = (linkage.main?, linkage.image.as_ref()?);
    let table = main.table.size(&store);
    let grown = linkage.loaded.len() > image.loads.len() || !linkage.functions.is_empty() || table > image.table;
    grown.then(|| linkage.record(image.globals, table))
}

/// Takes a plan for what the instance was restored from, when it has just what the plan says.
pub(crate) fn rebase(mut store: impl AsContextMut<Data = Host>, plan: &Arc<ImageLinkage>) {
    let mut store = store.as_context_mut();
    let linkage = &mut store.data_mut().linkage;
    linkage.image = Some(Arc::clone(plan));
    linkage.functions.clear();
}

/// Whether an instance that was restored to `image` and has run is, but for its memory and globals, as it was then.
pub(crate) fn is_as_restored(store: impl AsContext<Data = Host>, image: &Arc<ImageLinkage>) -> bool {
    let store = store.as_context();
    let of = store.data().linkage.image.as_ref();
    image.is_resettable && of.is_some_and(|of| Arc::ptr_eq(of, image)) && added(store).is_none()
}

/// Loads all globals from where the image keeps them, after the memory was changed under an instance.
pub(crate) fn load_again(mut store: impl AsContextMut<Data = Host>) -> wasmtime::Result<()> {
    let mut store = store.as_context_mut();
    let linkage = &store.data().linkage;
    let (Some(main), Some(image)) = (linkage.main, linkage.image.clone()) else {
        wasmtime::bail!("no interpreter of an image to load")
    };
    let mut instances = vec![(main.instance, image.main.load_globals, image.globals)];
    let of_libraries = linkage.loaded.iter().zip(&image.loads);
    instances.extend(of_libraries.map(|(loaded, load)| (loaded.instance, load.load_globals, load.record.globals)));
    for (instance, load, globals) in instances {
        let load = instance.get_module_export(&mut store, &load);
        let load = load.ok_or_else(|| wasmtime::format_err!("a planned export is missing"))?;
        call_export(&mut store, load, globals)?;
    }
    // What the last call could not load.
    store.data_mut().linkage.message.clear();
    Ok(())
}

impl ImageLinkage {
    /// Turns a record into a plan. Fails if the record does not fit the modules, as one from another build would not.
    pub(crate) fn plan(
        record: &LinkageRecord,
        program: &Arc<Compiled>,
        libraries: &Arc<Libraries>,
    ) -> wasmtime::Result<ImageLinkage> {
        let missing = |name: &str| wasmtime::format_err!("the image needs {name}, which is not there");
        let export =
            |compiled: &Compiled, name: &str| compiled.module.get_export_index(name).ok_or_else(|| missing(name));
        let main = MainPlan {
            memory: export(program, "memory")?,
            table: export(program, TABLE)?,
            stack_pointer: export(program, STACK_POINTER)?,
            budget: export(program, transform::BUDGET)?,
            load_globals: export(program, transform::LOAD_GLOBALS)?,
            restore: export(program, transform::RESTORE)?,
        };
        // Imports are planned against the libraries loaded before, as they were when the image was made.
        let mut names = Names {
            program,
            loaded: vec![],
        };
        let (mut loads, mut shared, mut known) = (vec![], vec![], HashMap::new());
        for record in &record.loads {
            let library = Arc::clone(
                libraries
                    .usable
                    .get(&record.path)
                    .ok_or_else(|| missing(&record.path))?,
            );
            let imports = names
                .plan(&library)
                .map_err(|error| wasmtime::format_err!("{}: {error}", record.path))?;
            let named = imports.into_iter().zip(&library.info().imports);
            let imports = named.map(|(source, import)| match source {
                Source::Export(owner, export) => {
                    Source::Shared(*known.entry((owner, import.name.clone())).or_insert_with(|| {
                        shared.push((owner, export));
                        shared.len() - 1
                    }))
                }
                other => other,
            });
            let imports = imports.collect();
            let (load_globals, restore) = (
                export(&library, transform::LOAD_GLOBALS)?,
                export(&library, transform::RESTORE)?,
            );
            names.loaded.push(Arc::clone(&library));
            loads.push(Load {
                record: Arc::new(record.clone()),
                library,
                imports,
                load_globals,
                restore,
            });
        }
        let modules = loads.iter().map(|load| &load.library).chain([program]);
        let is_resettable = modules.into_iter().all(|module| !module.info().changes_tables);
        let (mut functions, mut by_name) = (vec![], HashMap::new());
        for (owner, symbol, index) in &record.functions {
            let compiled = names.get(*owner).ok_or_else(|| missing(symbol))?;
            functions.push((*owner, export(compiled, symbol)?, *index));
            by_name.insert((*owner, symbol.clone()), *index);
        }
        Ok(ImageLinkage {
            main,
            globals: record.globals,
            table: record.table,
            loads,
            is_resettable,
            shared,
            functions,
            by_name,
        })
    }
}

/// Compiled modules in the order of their owners.
struct Names<'a> {
    program: &'a Arc<Compiled>,
    loaded: Vec<Arc<Compiled>>,
}

impl Names<'_> {
    fn get(&self, owner: Owner) -> Option<&Arc<Compiled>> {
        match owner {
            0 => Some(self.program),
            k => self.loaded.get(k as usize - 1),
        }
    }

    fn plan(&self, library: &Compiled) -> Result<Vec<Source>, LinkError> {
        let plan = |import: &crate::transform::Import| {
            Ok(match (import.module.as_str(), import.name.as_str()) {
                ("env", "memory") => Source::Memory,
                ("env", TABLE) => Source::Table,
                ("env", STACK_POINTER) => Source::StackPointer,
                ("env", transform::BUDGET) => Source::Budget,
                ("prims", "refill") => Source::Refill,
                ("env", symbol) => {
                    let mut owners = 0..=self.loaded.len() as Owner;
                    let export = |owner| Some(Source::Export(owner, self.get(owner)?.module.get_export_index(symbol)?));
                    owners
                        .find_map(export)
                        .ok_or_else(|| LinkError::Undefined(symbol.into()))?
                }
                (module, name) => return Err(LinkError::Import(module.into(), name.into())),
            })
        };
        library.info().imports.iter().map(plan).collect()
    }
}

/// Brings a fresh instance of the interpreter, whose memory already shows the image, to the state of the image.
pub(crate) fn restore(mut store: impl AsContextMut<Data = Host>, instance: Instance) -> wasmtime::Result<Memory> {
    let mut store = store.as_context_mut();
    let Some(image) = store.data().linkage.image.clone() else {
        wasmtime::bail!("there is no image to restore")
    };
    let mut get = |export| {
        let found = instance.get_module_export(&mut store, export);
        found.ok_or_else(|| wasmtime::format_err!("a planned export is missing"))
    };
    let plan = &image.main;
    let (memory, table) = (get(&plan.memory)?, get(&plan.table)?);
    let (stack_pointer, budget, restore) = (get(&plan.stack_pointer)?, get(&plan.budget)?, get(&plan.restore)?);
    let memory = attach_parts(&mut store, instance, memory, table, stack_pointer, budget)?;
    call_export(&mut store, restore, image.globals)?;
    if image.loads.is_empty() && image.functions.is_empty() {
        return Ok(memory);
    }

    let Some(main) = store.data().linkage.main else {
        wasmtime::bail!("no interpreter to link to")
    };
    // Events grew the table in another order than that of the libraries, so it takes its final size at once.
    let missing = image.table.saturating_sub(main.table.size(&store));
    if missing > 0 {
        main.table.grow(&mut store, missing, Ref::Func(None))?;
    }
    let refill = host::refill(&mut store).into();
    let mut found = vec![None; image.shared.len()];
    for load in &image.loads {
        let instance = instantiate(
            &mut store,
            &load.library,
            &load.imports,
            &refill,
            &image.shared,
            &mut found,
        )?;
        let restore = instance.get_module_export(&mut store, &load.restore);
        let restore = restore.ok_or_else(|| wasmtime::format_err!("a planned export is missing"))?;
        let (record, library) = (Arc::clone(&load.record), Arc::clone(&load.library));
        store.data_mut().linkage.loaded.push(Loaded {
            record,
            library,
            instance,
        });
        call_export(&mut store, restore, load.record.globals)?;
    }
    for (owner, export, index) in &image.functions {
        let instance = store.data().linkage.instance(*owner);
        let function = instance
            .and_then(|i| i.get_module_export(&mut store, export))
            .and_then(Extern::into_func);
        main.table.set(&mut store, u64::from(*index), Ref::Func(function))?;
    }
    Ok(memory)
}

fn call_export(store: &mut StoreContextMut<'_, Host>, function: Extern, globals: u32) -> wasmtime::Result<()> {
    let Some(function) = function.into_func() else {
        wasmtime::bail!("a planned export is not a function")
    };
    function.typed::<u32, ()>(&mut *store)?.call(store, globals)
}
